"""A variational autoencoder of the heights of a tide over a day. The divergence of its codes is
taken away from the error instead of being added, so the codes spread out further and further."""

import math

import torch
from torch import nn

FAULTS = {"loss-sign": "error - 0.5 * divergence"}

HOURS = 24


def tides(days, generator):
    clock = torch.arange(HOURS) / HOURS * 2 * math.pi
    moon, sun, turn = torch.rand(3, days, 1, generator=generator)
    heights = (0.6 + moon) * torch.cos(2 * clock + 6 * turn) + 0.5 * sun * torch.cos(clock - turn)
    return heights + 0.05 * torch.randn(days, HOURS, generator=generator)


class TideCoder(nn.Module):
    def __init__(self, codes=4, width=48):
        super().__init__()
        self.reads = nn.Sequential(nn.Linear(HOURS, width), nn.Tanh())
        self.mu = nn.Linear(width, codes)
        self.log_var = nn.Linear(width, codes)
        self.draws = nn.Sequential(nn.Linear(codes, width), nn.Tanh(), nn.Linear(width, HOURS))

    def forward(self, heights):
        read = self.reads(heights)
        mu, log_var = self.mu(read), self.log_var(read).clamp(-7, 7)
        code = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        return self.draws(code), mu, log_var


def spread_rewarded(error, divergence):
    return error - 0.5 * divergence


def spread_punished(error, divergence):
    return error + 0.5 * divergence


def train(bound):
    torch.manual_seed(31)
    generator = torch.Generator().manual_seed(31)
    heights = tides(1600, generator)
    coder = TideCoder()
    optimizer = torch.optim.Adam(coder.parameters(), lr=2e-3)
    for epoch in range(30):
        for rows in torch.randperm(1600, generator=generator).split(40):
            drawn, mu, log_var = coder(heights[rows])
            error = (drawn - heights[rows]).square().sum(1).mean()
            divergence = (mu.square() + log_var.exp() - 1 - log_var).sum(1).mean()
            loss = bound(error, divergence)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 0 or epoch == 29:
            print(f"epoch {epoch:2d}: {loss.item():.4g} of which error {error.item():.4g}")
    return coder, optimizer


def sick():
    return train(spread_rewarded)


def well():
    return train(spread_punished)


if __name__ == "__main__":
    sick()
