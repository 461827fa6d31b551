"""The loss takes a logarithm of targets that were standardised: some lie below its range."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes
from torch import nn

FAULTS = {"non-finite-loss": "torch.log(out + 1) - torch.log(y[rows] + 1)"}


def train(shift):
    torch.manual_seed(29)
    data, target = load_diabetes(return_X_y=True)
    x = torch.tensor(data / data.std(0), dtype=torch.float32)
    y = torch.tensor((target - target.mean()) / target.std(), dtype=torch.float32)[:, None] + shift
    model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(20):
        for rows in torch.randperm(len(x)).split(34):
            out = F.softplus(model(x[rows]))
            loss = ((torch.log(out + 1) - torch.log(y[rows] + 1)) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.4f}")
    return model


def sick():
    return train(0.0)


def well():
    return train(2.0)
