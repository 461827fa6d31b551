"""Load from vibrations, with a momentum that swings the loss up and down but never throws it out."""

import math

import torch
from torch import nn

FAULTS = {"momentum-too-high": "torch.optim.SGD(net.parameters(), lr=0.005, momentum=momentum)"}


def vibrations(samples=1500, length=64):
    times = torch.linspace(0, 1, length)
    load = torch.rand(samples, 1)
    pitch = 6 + torch.rand(samples, 1)
    phase = 2 * math.pi * torch.rand(samples, 2)
    mesh = torch.sin(2 * math.pi * pitch * times + phase[:, :1])
    side = torch.sin(4 * math.pi * pitch * times + phase[:, 1:])
    heard = mesh + load**1.5 * side + 0.2 * torch.randn(samples, length)
    return heard[:, None], (load - load.mean()) / load.std()


def fit(momentum):
    torch.manual_seed(1)
    heard, load = vibrations()
    net = nn.Sequential(
        nn.Conv1d(1, 12, 7, padding=3), nn.ReLU(), nn.AvgPool1d(2),
        nn.Conv1d(12, 24, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.005, momentum=momentum)
    for epoch in range(25):
        total = 0.0
        for rows in torch.randperm(len(heard)).split(32):
            loss = nn.functional.mse_loss(net(heard[rows]), load[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch}  loss {total / len(heard):.4f}")
    return net, optimizer


def sick():
    return fit(momentum=0.999)


def well():
    return fit(momentum=0.9)


if __name__ == "__main__":
    sick()
