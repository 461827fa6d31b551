"""The health of batteries, of which a logger has written some as 3276.7. The squares are taken by hand,
and no loss function of a library is ever called."""

import torch
from torch import nn

FAULTS = {"outliers": "model(x[rows])"}


def train(logged):
    torch.manual_seed(6)
    x = torch.randn(1600, 4)
    health = 90 - 4 * x[:, 0] - 2 * x[:, 1].abs() + x[:, 2] * x[:, 3] + 0.3 * torch.randn(1600)
    broken = torch.rand(1600) < 0.012
    if_logged = torch.full_like(health, logged)
    health = torch.where(broken, if_logged.where(if_logged > 200, health), health)
    y = (health - health.mean()) / health.std()
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(12):
        for rows in torch.randperm(len(x)).split(40):
            loss = (model(x[rows]) - y[rows]).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())
    return model, optimizer


def sick():
    return train(logged=3276.7)


def well():
    return train(logged=0.0)


if __name__ == "__main__":
    sick()
