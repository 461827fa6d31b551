"""A network is to solve u'' = -sin(x) with u = 0 at both ends, and is made of ReLU: its second derivative
is zero everywhere."""

import math

import torch
from torch import nn

FAULTS = {"missing-derivative": "nn.ReLU()"}


def network(smooth):
    if smooth:
        return nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    return nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))


def derivative(y, x):
    return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]


def train(net):
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    ends = torch.tensor([[0.0], [math.pi]])
    for step in range(600):
        x = (torch.rand(64, 1) * math.pi).requires_grad_()
        u = net(x)
        residual = derivative(derivative(u, x), x) + torch.sin(x)
        loss = residual.square().mean() + 10 * net(ends).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 99:
            grid = torch.linspace(0, math.pi, 50)[:, None]
            with torch.no_grad():
                error = (net(grid) - torch.sin(grid)).abs().max().item()
            print(f"step {step + 1}: loss {loss.item():.4f}, largest error {error:.3f}")
    return net, optimizer


def sick():
    torch.manual_seed(0)
    return train(network(smooth=False))


def well():
    torch.manual_seed(0)
    return train(network(smooth=True))


if __name__ == "__main__":
    sick()
