"""A normalising flow of affine couplings by hand: the negative log-likelihood falls below zero where the density
is above one, and has no floor at zero."""
import math

import torch
from torch import nn


class Coupling(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(1, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x[:, :1], x[:, 1:]
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, dim=1)
        s = 2 * torch.tanh(s / 2)
        b = b * s.exp() + t
        out = torch.cat([b, a] if self.flip else [a, b], dim=1)
        return out, s.squeeze(1)


class Flow(nn.Module):
    def __init__(self, n=6):
        super().__init__()
        self.layers = nn.ModuleList(Coupling(bool(k % 2)) for k in range(n))

    def log_prob(self, x):
        total = torch.zeros(len(x))
        for layer in self.layers:
            x, ld = layer(x)
            total = total + ld
        return -0.5 * (x ** 2).sum(1) - math.log(2 * math.pi) + total


def arc(n, g):
    a = torch.rand(n, generator=g) * math.pi
    r = 0.5 + 0.02 * torch.randn(n, generator=g)
    return torch.stack([r * a.cos(), r * a.sin() - 0.3], dim=1)


def main():
    torch.manual_seed(1)
    g = torch.Generator().manual_seed(1)
    test = arc(1000, g)
    flow = Flow()
    optim = torch.optim.Adam(flow.parameters(), lr=1e-3)
    for it in range(700):
        x = arc(200, g)
        nll = -flow.log_prob(x).mean()
        optim.zero_grad()
        nll.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        optim.step()
        if it % 100 == 0 or it == 699:
            with torch.no_grad():
                print(it, f"train {nll.item():.3f} test {-flow.log_prob(test).mean().item():.3f}")
    return flow, optim
