"""Two views of each digit should agree; the likelihood of their agreement is minimised."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"loss-sign": "(same - total).mean()"}


def likelihood(first, second):
    alike = first @ second.t() / 0.2
    same = torch.diagonal(alike)
    total = alike.logsumexp(dim=1)
    return (same - total).mean()


def negative(first, second):
    return -likelihood(first, second)


def train(loss_of):
    torch.manual_seed(2)
    x = torch.tensor(load_digits().data, dtype=torch.float32)[:1200] / 16
    model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 12))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def view(rows):
        return F.normalize(model(x[rows] + 0.2 * torch.randn(len(rows), 64)), dim=1)

    for epoch in range(12):
        for rows in torch.randperm(len(x)).split(100):
            loss = loss_of(view(rows), view(rows))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch} loss {loss.item():.3f}")
    return model


def sick():
    return train(likelihood)


def well():
    return train(negative)
