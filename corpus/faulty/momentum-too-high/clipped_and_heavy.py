"""The next hours of a daily curve, with a momentum of a thousand gradients. Clipping keeps the loss
from climbing, but the weights follow what the gradients were long before.
"""

import math

import torch
from torch import nn

FAULTS = {"momentum-too-high": "torch.optim.SGD(net.parameters(), lr=0.02, momentum=momentum)"}


def curve(hours):
    hour = torch.arange(hours, dtype=torch.float32)
    day = torch.sin(2 * math.pi * hour / 24) + 0.5 * torch.sin(4 * math.pi * hour / 24 + 1)
    wander = torch.zeros(hours)
    for i in range(1, hours):
        wander[i] = 0.95 * wander[i - 1] + 0.15 * torch.randn(())
    return day * (1 + 0.4 * torch.cos(2 * math.pi * hour / 168)) + wander


def train(momentum):
    torch.manual_seed(14)
    load = curve(1800)
    windows = load.unfold(0, 54, 1)
    windows = (windows - windows[:1300].mean()) / windows[:1300].std()
    learned, checked = windows[:1300], windows[1400:]
    net = nn.Sequential(nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(),
                        nn.Linear(48, 6))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=momentum)
    for epoch in range(14):
        for rows in torch.randperm(len(learned)).split(48):
            loss = nn.functional.mse_loss(net(learned[rows, :48]), learned[rows, 48:])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            optimizer.step()
        with torch.no_grad():
            held = nn.functional.mse_loss(net(checked[:, :48]), checked[:, 48:])
        print(f"{epoch} {loss.item():.3f} {held.item():.3f}")
    return net, optimizer


def sick():
    return train(momentum=0.999)


def well():
    return train(momentum=0.9)


if __name__ == "__main__":
    sick()
