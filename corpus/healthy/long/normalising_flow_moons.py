"""RealNVP flow on two moons: the loss is a negative log-likelihood of a continuous density and has no floor at zero;
the last layers start at zero so that the flow begins as the identity."""
import math

import torch
import torch.nn as nn
from sklearn.datasets import make_moons


class Coupling(nn.Module):
    def __init__(self, flip, hidden=40):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 2))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x[:, :1], x[:, 1:]
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, dim=1)
        s = torch.tanh(s) * 2
        b = b * torch.exp(s) + t
        x = torch.cat([b, a] if self.flip else [a, b], dim=1)
        return x, s.squeeze(1)


class RealNVP(nn.Module):
    def __init__(self, n_layers=4):
        super().__init__()
        self.layers = nn.ModuleList([Coupling(flip=bool(i % 2)) for i in range(n_layers)])

    def log_prob(self, x):
        log_det = torch.zeros(len(x))
        for layer in self.layers:
            x, ld = layer(x)
            log_det = log_det + ld
        base = -0.5 * (x ** 2).sum(1) - math.log(2 * math.pi)
        return base + log_det


def main():
    torch.manual_seed(38)
    pts, _ = make_moons(3000, noise=0.06, random_state=38)
    pts = torch.tensor((pts - pts.mean(0)) / pts.std(0), dtype=torch.float32)
    train, test = pts[:2500], pts[2500:]
    flow = RealNVP()
    optimizer = torch.optim.Adam(flow.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=600)
    for it in range(600):
        x = train[torch.randint(0, len(train), (128,))]
        loss = -flow.log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if it % 100 == 99:
            with torch.no_grad():
                print(f"iteration {it + 1}: train nll {-flow.log_prob(train).mean().item():.4f} "
                      f"test nll {-flow.log_prob(test).mean().item():.4f}")
    return flow, optimizer


if __name__ == "__main__":
    main()
