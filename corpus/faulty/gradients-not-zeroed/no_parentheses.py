"""The gradients are meant to be cleared, but the method is only named."""

import torch
from sklearn.datasets import load_wine
from torch import nn

FAULTS = {"gradients-not-zeroed": "optimizer.zero_grad"}


def wine():
    x, y = load_wine(return_X_y=True)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(3))
    return torch.tensor((x - x.mean(0)) / x.std(0)).float()[order], torch.tensor(y)[order]


def build():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def sick():
    x, y = wine()
    model, optimizer = build()
    for _ in range(30):
        for rows in torch.randperm(140).split(20):
            optimizer.zero_grad  # noqa: B018
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
    print(f"loss {loss:.3f}")
    return model, optimizer


def well():
    x, y = wine()
    model, optimizer = build()
    for _ in range(30):
        for rows in torch.randperm(140).split(20):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
    print(f"loss {loss:.3f}")
    return model, optimizer


if __name__ == "__main__":
    sick()
