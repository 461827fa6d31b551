"""Bicycles lent in an hour, by the weather and the time of day. The log-likelihood of a Poisson
distribution is minimised as it is, so the network moves away from the counts."""

import math

import torch
from torch import nn

FAULTS = {"loss-sign": "y * z - z.exp()"}


def hours(count, generator):
    warmth, rain = torch.randn(2, count, generator=generator)
    clock = torch.rand(count, generator=generator) * 2 * math.pi
    rate = torch.exp(0.8 + 0.5 * warmth - 0.4 * rain.relu() + 0.6 * torch.sin(clock))
    lent = torch.poisson(rate, generator=generator)
    return torch.stack([warmth, rain, clock.sin(), clock.cos()], dim=1), lent


class Demand(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.hidden = nn.Linear(4, units)
        self.log_rate = nn.Linear(units, 1)

    def forward(self, x):
        return self.log_rate(torch.tanh(self.hidden(x))).squeeze(1).clamp(max=12.0)


def log_likelihood(z, y):
    return (y * z - z.exp()).mean()


def surprise(z, y):
    return -(y * z - z.exp()).mean()


def fit(objective, epochs=25):
    torch.manual_seed(8)
    generator = torch.Generator().manual_seed(8)
    x, y = hours(1500, generator)
    x_new, y_new = hours(300, generator)
    demand = Demand(24)
    optimizer = torch.optim.Adam(demand.parameters(), lr=5e-3)
    for epoch in range(epochs):
        for rows in torch.randperm(len(x)).split(50):
            loss = objective(demand(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if (epoch + 1) % 5 == 0:
            with torch.no_grad():
                off = (demand(x_new).exp() - y_new).abs().mean()
            print(f"{epoch + 1}: {loss.item():.5g}, off by {off.item():.4g} bicycles")
    return demand, optimizer


def sick():
    return fit(log_likelihood)


def well():
    return fit(surprise)


if __name__ == "__main__":
    sick()
