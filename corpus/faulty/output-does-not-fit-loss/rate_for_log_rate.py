"""Counts of events: the network gives expected counts, the loss takes them for logarithms."""

import torch
from torch import nn

FAULTS = {"output-does-not-fit-loss": "nn.PoissonNLLLoss()"}


class Rates(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 32), nn.GELU(), nn.Linear(32, 1))

    def forward(self, x):
        return nn.functional.softplus(self.body(x)).squeeze(1)


def events():
    torch.manual_seed(6)
    x = torch.randn(1200, 5)
    rate = (0.3 + 0.8 * x[:, 0] - 0.5 * x[:, 1] * x[:, 2]).clamp(max=3).exp()
    return x, rate, torch.poisson(rate)


def fit(criterion):
    x, rate, counts = events()
    model = Rates()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(20):
        for rows in torch.randperm(1000).split(50):
            loss = criterion(model(x[rows]), counts[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        print(f"error of the rate {(model(x[1000:]) - rate[1000:]).abs().mean():.2f}")
    return model, optimizer


def sick():
    return fit(nn.PoissonNLLLoss())


def well():
    return fit(nn.PoissonNLLLoss(log_input=False))


if __name__ == "__main__":
    sick()
