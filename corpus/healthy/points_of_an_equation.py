"""A network that solves u'' = -u holds the points at which its derivatives are taken. They require a
gradient and are no parameters, as they should be.
"""

import torch
from torch import nn


class Wave(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(),
                                  nn.Linear(32, 1))
        self.points = torch.linspace(0, 3, 60)[:, None].requires_grad_()

    def forward(self, time):
        return self.body(time)

    def residual(self):
        value = self(self.points)
        slope, = torch.autograd.grad(value.sum(), self.points, create_graph=True)
        bend, = torch.autograd.grad(slope.sum(), self.points, create_graph=True)
        return bend + value, value, slope


def main():
    torch.manual_seed(0)
    wave = Wave()
    optimizer = torch.optim.Adam(wave.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1200)
    for step in range(1200):
        apart, value, slope = wave.residual()
        loss = nn.functional.mse_loss(apart, torch.zeros_like(apart)) + (
            value[0, 0].square() + (slope[0, 0] - 1).square())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 200 == 199:
            with torch.no_grad():
                error = (wave(wave.points) - torch.sin(wave.points)).abs().max()
            print(f"{step + 1} loss {loss.item():.5f} largest error {error:.4f}")
    return wave


if __name__ == "__main__":
    main()
