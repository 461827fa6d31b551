"""The outputs of all batches are kept for a score of the epoch, each with its graph."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"retained-graph": "model(x[rows])"}


def train(keep):
    torch.manual_seed(8)
    data, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(data / 16, dtype=torch.float32), torch.tensor(labels)
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    outputs = []
    for epoch in range(8):
        for rows in torch.randperm(len(x)).split(64):
            out = model(x[rows])
            loss = F.cross_entropy(out, y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            outputs.append(keep(out))
        print(epoch, f"{loss:.3f}", len(outputs))
    return model


def sick():
    return train(lambda out: out)


def well():
    return train(lambda out: out.detach())
