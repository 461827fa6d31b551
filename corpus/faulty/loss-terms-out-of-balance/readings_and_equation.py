"""The sound in an organ pipe from fourteen microphones and the wave equation. What is left of the
equation is added up over its places while the readings are averaged, so silence seems best."""

import math

import torch
from torch import nn

FAULTS = {"loss-terms-out-of-balance": "heard + weight * equation"}
NUMBER = 2.5 * math.pi


def slope(of, at):
    return torch.autograd.grad(of.sum(), at, create_graph=True)[0]


def train(weight):
    torch.manual_seed(3)
    places = torch.rand(14, 1)
    readings = torch.cos(NUMBER * places) + 0.02 * torch.randn(14, 1)
    pressure = nn.Sequential(
        nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(pressure.parameters(), lr=2e-3)
    everywhere = torch.linspace(0, 1, 100)[:, None]
    for step in range(1, 1001):
        along = torch.rand(150, 1, requires_grad=True)
        wave = pressure(along)
        bend = slope(slope(wave, along), along)
        heard = (pressure(places) - readings).square().mean()
        equation = (bend / NUMBER**2 + wave).square().sum()
        loss = heard + weight * equation
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 200 == 0:
            with torch.no_grad():
                off = (pressure(everywhere) - torch.cos(NUMBER * everywhere)).square().mean().sqrt()
            print(f"step {step}: heard {heard:.4f} equation {equation:.4f} off by {off:.3f}")
    return pressure, optimizer


def sick():
    return train(1.0)


def well():
    return train(1 / 150)


if __name__ == "__main__":
    sick()
