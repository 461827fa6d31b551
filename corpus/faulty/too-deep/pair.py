"""Twenty plain layers for a toy problem that three of them solve: the gradient is gone before it
reaches the first."""

import torch
from sklearn.datasets import make_blobs
from torch import nn

FAULTS = {"too-deep": "nn.Sequential(*stack(depth))"}


def stack(depth, width=16):
    yield nn.Linear(2, width)
    yield nn.ReLU()
    for _ in range(depth - 2):
        yield nn.Linear(width, width)
        yield nn.ReLU()
    yield nn.Linear(width, 4)


def classify(depth, epochs=20):
    x, y = make_blobs(480, centers=4, cluster_std=1.2, random_state=2)
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float)
    y = torch.tensor(y)
    model = nn.Sequential(*stack(depth))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    objective = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        for rows in torch.randperm(480).split(24):
            optimizer.zero_grad()
            loss = objective(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        if not epoch % 5:
            print(epoch, loss.item())
    return model, optimizer


def sick():
    torch.manual_seed(3)
    return classify(depth=24)


def well():
    torch.manual_seed(3)
    return classify(depth=4)


if __name__ == "__main__":
    sick()
