"""A warm-up that is counted in steps, and moved on once an epoch: the run ends before it does."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

FAULTS = {"schedule-mistake": "warm_up.step()"}

WARM_UP = 120


def digits():
    x, y = load_digits(return_X_y=True)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(8))
    return torch.tensor(x / 16).float()[order], torch.tensor(y)[order]


def build():
    torch.manual_seed(8)
    model = nn.Sequential(nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    return model, optimizer, LambdaLR(optimizer, lambda n: min(1.0, (n + 1) / WARM_UP))


def sick():
    x, y = digits()
    model, optimizer, warm_up = build()
    for epoch in range(10):
        for rows in torch.randperm(1500).split(50):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        warm_up.step()
        print(epoch, f"{loss:.3f}")
    return model, optimizer


def well():
    x, y = digits()
    model, optimizer, warm_up = build()
    for epoch in range(10):
        for rows in torch.randperm(1500).split(50):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            warm_up.step()
        print(epoch, f"{loss:.3f}")
    return model, optimizer


if __name__ == "__main__":
    sick()
