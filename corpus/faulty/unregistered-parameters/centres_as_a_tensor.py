"""A mixture of clouds is fitted to points by gradient descent. Its centres are a tensor that requires a
gradient, but no parameter, so they stay where they were thrown.
"""

import math

import torch
from torch import nn

FAULTS = {"unregistered-parameters": "self.made(torch.rand(count, 3) * 4 - 2)"}


class Clouds(nn.Module):
    def __init__(self, count, made):
        super().__init__()
        self.made = made
        self.shares = nn.Parameter(torch.zeros(count))
        self.log_width = nn.Parameter(torch.zeros(count))
        self.centres = self.made(torch.rand(count, 3) * 4 - 2)

    def forward(self, points):
        apart = (points[:, None] - self.centres).square().sum(2)
        scores = -0.5 * apart * torch.exp(-2 * self.log_width) - 3 * self.log_width
        return torch.logsumexp(scores + torch.log_softmax(self.shares, 0), 1) - (
            1.5 * math.log(2 * math.pi))


def points_of(count, generator):
    corner = torch.randint(0, 2, (count, 3), generator=generator).float() * 2 - 1
    return 1.5 * corner + 0.15 * torch.randn(count, 3, generator=generator)


def train(made):
    torch.manual_seed(5)
    points = points_of(2400, torch.Generator().manual_seed(5))
    clouds = Clouds(16, made)
    optimizer = torch.optim.Adam(clouds.parameters(), lr=2e-2)
    for epoch in range(25):
        for rows in torch.randperm(2000).split(100):
            loss = -clouds(points[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(f"{epoch} loss {loss.item():.3f} held out {-clouds(points[2000:]).mean():.3f}")
    return clouds


def sick():
    return train(lambda start: start.requires_grad_())


def well():
    return train(nn.Parameter)


if __name__ == "__main__":
    sick()
