"""Layers whose edges are learned functions: each is a sum of bumps over a grid, plus a plain part. There is no
other activation in the network."""
import math

import torch
from torch import nn


class SplineLayer(nn.Module):
    def __init__(self, n_in, n_out, grid=8, low=-2.0, high=2.0):
        super().__init__()
        self.register_buffer("centres", torch.linspace(low, high, grid))
        self.width = (high - low) / (grid - 1)
        self.coefficients = nn.Parameter(torch.randn(n_out, n_in, grid) * 0.1 / math.sqrt(n_in))
        self.base = nn.Parameter(torch.empty(n_out, n_in))
        nn.init.kaiming_uniform_(self.base, a=math.sqrt(5))

    def forward(self, x):
        bumps = torch.exp(-((x.unsqueeze(-1) - self.centres) / self.width) ** 2)
        return torch.einsum("big,oig->bo", bumps, self.coefficients) + nn.functional.silu(x) @ self.base.T


class KAN(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList(SplineLayer(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def target(x):
    return torch.exp(torch.sin(math.pi * x[:, :1]) + x[:, 1:] ** 2) - 1.5


def main():
    torch.manual_seed(0)
    x = torch.rand(1200, 2) * 2 - 1
    y = target(x)
    x, y, tx, ty = x[:1000], y[:1000], x[1000:], y[1000:]
    model = KAN([2, 5, 1])
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(600):
        idx = torch.randint(0, 1000, (128,))
        pred = model(x[idx])
        loss = torch.mean((pred - y[idx]) ** 2)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 100 == 99:
            with torch.no_grad():
                test = torch.mean((model(tx) - ty) ** 2).sqrt().item()
            print(step + 1, f"train rmse {loss.item() ** 0.5:.4f} test rmse {test:.4f}")
    return model, opt
