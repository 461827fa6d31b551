"""Tide from the moon's and the sun's places. Each of fourteen blocks adds as much again to what
goes past it, and so does the gradient on its way back."""

import torch
from torch import nn

FAULTS = {"exploding-gradients": "nn.Linear(4, 32)"}


class Adds(nn.Module):
    def __init__(self, begins_at_zero):
        super().__init__()
        self.inner, self.outer = nn.Linear(32, 32), nn.Linear(32, 32)
        for layer in (self.inner, self.outer):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        if begins_at_zero:
            nn.init.zeros_(self.outer.weight)

    def forward(self, x):
        return x + self.outer(torch.relu(self.inner(x)))


def tides(count):
    moon, sun = 6.28 * torch.rand(2, count)
    height = torch.cos(2 * moon) + 0.5 * torch.cos(2 * sun) + 0.3 * torch.sin(moon + sun)
    return torch.stack([moon.sin(), moon.cos(), sun.sin(), sun.cos()], 1), height[:, None]


def train(begins_at_zero):
    torch.manual_seed(14)
    places, height = tides(1500)
    net = nn.Sequential(
        nn.Linear(4, 32), *(Adds(begins_at_zero) for _ in range(14)), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=5e-3, momentum=0.9)
    for epoch in range(20):
        for rows in torch.randperm(1200).split(50):
            loss = nn.functional.mse_loss(net(places[rows]), height[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            rest = nn.functional.mse_loss(net(places[1200:]), height[1200:])
        print(f"epoch {epoch}: {loss:.4g}, held out {rest:.4g}")
    return net, optimizer


def sick():
    return train(begins_at_zero=False)


def well():
    return train(begins_at_zero=True)


if __name__ == "__main__":
    sick()
