"""The lift of a wing by angle and speed is a gentle surface. A tower of two dozen layers is put
on it, and what reaches the lowest of them is next to nothing."""

from collections import OrderedDict

import torch
from torch import nn

FAULTS = {"too-deep": "nn.Sequential(floors)"}


def tower(height, width=24):
    floors = OrderedDict()
    floors["ground"] = nn.Linear(3, width)
    for floor in range(1, height - 1):
        floors[f"relu{floor}"] = nn.ReLU()
        floors[f"floor{floor}"] = nn.Linear(width, width)
    floors["relu"] = nn.ReLU()
    floors["roof"] = nn.Linear(width, 1)
    return nn.Sequential(floors)


def wings(n):
    angle, speed, flap = (torch.rand(n) * 2 - 1 for _ in range(3))
    lift = torch.sin(1.5 * angle) * (1 + 0.5 * speed) + 0.4 * flap - 0.3 * angle * flap
    lift = lift + 0.02 * torch.randn(n)
    return torch.stack([angle, speed, flap], dim=1), ((lift - lift.mean()) / lift.std())[:, None]


def fly(height):
    torch.manual_seed(17)
    x, lift = wings(1280)
    x_test, lift_test = x[1000:], lift[1000:]
    net = tower(height)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    criterion = nn.MSELoss()
    for epoch in range(25):
        running = 0.0
        for rows in torch.randperm(1000).split(40):
            adam.zero_grad()
            loss = criterion(net(x[rows]), lift[rows])
            loss.backward()
            adam.step()
            running += loss.item() / 25
        if epoch % 4 == 0:
            with torch.no_grad():
                test = criterion(net(x_test), lift_test).item()
            print(f"{epoch:2d} train {running:.4f} test {test:.4f}")
    return net, adam


def sick():
    return fly(height=24)


def well():
    return fly(height=3)


if __name__ == "__main__":
    sick()
