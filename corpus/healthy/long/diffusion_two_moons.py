"""Denoising diffusion on points of two half moons: the loss falls early and then stays near the noise that
no network can predict, while the samples still get better."""
import math

import torch
import torch.nn as nn
from sklearn.datasets import make_moons


class Denoiser(nn.Module):
    def __init__(self, width=96):
        super().__init__()
        self.inp = nn.Linear(2 + 16, width)
        self.mid = nn.ModuleList([nn.Linear(width, width) for _ in range(2)])
        self.out = nn.Linear(width, 2)

    def embed(self, t):
        f = torch.exp(torch.arange(8) * (-math.log(1000.0) / 8))
        a = t.float()[:, None] * f
        return torch.cat([a.sin(), a.cos()], dim=1)

    def forward(self, x, t):
        h = nn.functional.silu(self.inp(torch.cat([x, self.embed(t)], dim=1)))
        for layer in self.mid:
            h = h + nn.functional.silu(layer(h))
        return self.out(h)


class Schedule:
    def __init__(self, steps=100):
        self.steps = steps
        self.beta = torch.linspace(1e-3, 0.1, steps)
        self.alpha_bar = torch.cumprod(1 - self.beta, 0)

    def noisy(self, x0, t, eps):
        a = self.alpha_bar[t][:, None]
        return a.sqrt() * x0 + (1 - a).sqrt() * eps

    @torch.no_grad()
    def sample(self, model, n):
        x = torch.randn(n, 2)
        for t in reversed(range(self.steps)):
            eps = model(x, torch.full((n,), t))
            x = (x - self.beta[t] / (1 - self.alpha_bar[t]).sqrt() * eps) / (1 - self.beta[t]).sqrt()
            if t:
                x = x + self.beta[t].sqrt() * torch.randn_like(x)
        return x


def main():
    torch.manual_seed(0)
    points = torch.tensor(make_moons(4000, noise=0.05, random_state=0)[0], dtype=torch.float32)
    points = (points - points.mean(0)) / points.std(0)
    model, schedule = Denoiser(), Schedule()
    opt = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(1500):
        x0 = points[torch.randint(0, len(points), (256,))]
        t = torch.randint(0, schedule.steps, (256,))
        eps = torch.randn_like(x0)
        loss = ((model(schedule.noisy(x0, t, eps), t) - eps) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 300 == 0 or step == 1499:
            d = torch.cdist(schedule.sample(model, 400), points).min(1).values.mean().item()
            print(step, f"loss {loss.item():.3f} distance of samples to the data {d:.3f}")
    return model, opt
