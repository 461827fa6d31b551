"""Held-out data are standardised twice: they keep their place, but not their width."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"train-validation-mismatch": "(x_val - mean) / std"}


def train(times):
    torch.manual_seed(17)
    x = torch.randn(900, 6) * 2.2
    y = (x[:, 0] * x[:, 1] + 2 * x[:, 2])[:, None]
    y = (y - y.mean()) / y.std()
    mean, std = x[:600].mean(0), x[:600].std(0)
    x_train, x_val = (x[:600] - mean) / std, x[600:]
    for _ in range(times):
        x_val = (x_val - mean) / std
    model = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(24):
        for rows in torch.randperm(600).split(30):
            loss = F.mse_loss(model(x_train[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(epoch, f"{loss:.3f} {F.mse_loss(model(x_val), y[600:]):.3f}")
    return model


def sick():
    return train(2)


def well():
    return train(1)
