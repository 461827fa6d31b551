"""A robust loss written out: the difference is scaled, and its function has a constant taken away."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn

FAULTS = {"loss-broadcast": "predicted - wanted"}


def diabetes():
    x, y = load_diabetes(return_X_y=True)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(2))
    x = torch.tensor((x - x.mean(0)) / x.std(0)).float()[order]
    return x, torch.tensor((y - y.mean()) / y.std()).float()[order]


def robust(predicted, wanted, scale=1.5):
    ratio = (predicted - wanted) / scale
    return ((1 + ratio * ratio).sqrt() - 1).mul(scale**2).mean()


def fit(shape):
    torch.manual_seed(2)
    x, y = diabetes()
    model = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        for rows in torch.randperm(352).split(32):
            loss = robust(model(x[rows]).reshape(shape), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        print(f"error {(model(x[352:]).flatten() - y[352:]).pow(2).mean():.2f}")
    return model, optimizer


def sick():
    return fit((-1, 1))


def well():
    return fit((-1,))


if __name__ == "__main__":
    sick()
