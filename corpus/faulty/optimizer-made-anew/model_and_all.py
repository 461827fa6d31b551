"""Wines by a small network; the lines that make it stand one loop too far in."""

import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale

FAULTS = {"optimizer-made-anew": "torch.optim.SGD(model.parameters(), lr=0.05)"}


def data():
    torch.manual_seed(0)
    x, y = load_wine(return_X_y=True)
    return torch.tensor(scale(x), dtype=torch.float32), torch.tensor(y)


def make_model():
    return nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))


def epoch_of(model, optimizer, x, y):
    total = 0.0
    for rows in torch.randperm(len(x)).split(16):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / 12


def sick():
    x, y = data()
    for epoch in range(30):
        model = make_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        print(epoch, epoch_of(model, optimizer, x, y))
    return model


def well():
    x, y = data()
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for epoch in range(30):
        print(epoch, epoch_of(model, optimizer, x, y))
    return model


if __name__ == "__main__":
    sick()
