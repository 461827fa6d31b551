"""A classifier that scales its gradients itself, to a length that fits neither data nor rate."""

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.nn.functional import cross_entropy

FAULTS = {"clipping-throttles": "gradient.grad *= limit / length"}


def wine():
    x, y = load_wine(return_X_y=True)
    x = torch.tensor((x - x.mean(0)) / x.std(0)).float()
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(5))
    return x[order], torch.tensor(y)[order]


def shorten(model, limit):
    length = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
    if length > limit:
        for gradient in model.parameters():
            gradient.grad *= limit / length


def fit(limit):
    torch.manual_seed(5)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 24), nn.SiLU(), nn.Linear(24, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(40):
        for rows in torch.randperm(140).split(20):
            optimizer.zero_grad()
            cross_entropy(model(x[rows]), y[rows]).backward()
            shorten(model, limit)
            optimizer.step()
    with torch.no_grad():
        print(f"accuracy {(model(x[140:]).argmax(1) == y[140:]).float().mean():.2f}")
    return model, optimizer


def sick():
    return fit(5e-4)


def well():
    return fit(5.0)


if __name__ == "__main__":
    sick()
