"""The heat equation on a rod, solved by a network that sees no solution: residual, edges and start are the
loss, with derivatives by autograd."""
import math

import torch
from torch import nn


def derivative(u, x):
    return torch.autograd.grad(u, x, grad_outputs=torch.ones_like(u), create_graph=True)[0]


class Rod(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, x, t):
        return self.layers(torch.cat([x, t], dim=1))


def main():
    torch.manual_seed(42)
    kappa = 0.1
    net = Rod()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.998)

    def error():
        x, t = torch.rand(500, 1), torch.rand(500, 1)
        with torch.no_grad():
            exact = torch.exp(-kappa * math.pi ** 2 * t) * torch.sin(math.pi * x)
            return ((net(x, t) - exact).norm() / exact.norm()).item()

    for it in range(900):
        x = torch.rand(128, 1, requires_grad=True)
        t = torch.rand(128, 1, requires_grad=True)
        u = net(x, t)
        residual = derivative(u, t) - kappa * derivative(derivative(u, x), x)
        tb = torch.rand(64, 1)
        edge = torch.randint(0, 2, (64, 1)).float()
        x0 = torch.rand(64, 1)
        loss_pde = residual.pow(2).mean()
        loss_edge = net(edge, tb).pow(2).mean()
        loss_start = (net(x0, torch.zeros_like(x0)) - torch.sin(math.pi * x0)).pow(2).mean()
        loss = loss_pde + 10 * loss_edge + 10 * loss_start
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if it % 150 == 0 or it == 899:
            print(it, f"loss {loss.item():.5f} relative error {error():.4f}")
    return net, optimizer, scheduler
