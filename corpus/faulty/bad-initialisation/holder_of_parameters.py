"""A module that only holds parameters, a forward in a function. All weights start at one number."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer
from torch import nn

FAULTS = {"bad-initialisation": "nn.Parameter(start(30, 40))"}


class Weights(nn.Module):
    def __init__(self, start):
        super().__init__()
        self.w1 = nn.Parameter(start(30, 40))
        self.b1 = nn.Parameter(torch.zeros(40))
        self.w2 = nn.Parameter(start(40, 40))
        self.b2 = nn.Parameter(torch.zeros(40))
        self.w3 = nn.Parameter(start(40, 2))
        self.b3 = nn.Parameter(torch.zeros(2))


def forward(p, x):
    h = torch.relu(x @ p.w1 + p.b1)
    h = torch.relu(h @ p.w2 + p.b2)
    return h @ p.w3 + p.b3


def train(start):
    torch.manual_seed(2)
    X, y = load_breast_cancer(return_X_y=True)
    X = torch.tensor(X, dtype=torch.float32)
    X = (X - X.mean(0)) / X.std(0)
    y = torch.tensor(y)
    p = Weights(start)
    opt = torch.optim.SGD(p.parameters(), lr=0.05)
    for epoch in range(20):
        for rows in torch.randperm(len(X)).split(32):
            loss = F.cross_entropy(forward(p, X[rows]), y[rows])
            p.zero_grad()
            loss.backward()
            opt.step()
        print(epoch, loss.item())
    return p


def sick():
    return train(lambda *shape: torch.full(shape, 0.1))


def well():
    return train(lambda *shape: torch.randn(shape) * (2 / shape[0]) ** 0.5)


if __name__ == "__main__":
    sick()
