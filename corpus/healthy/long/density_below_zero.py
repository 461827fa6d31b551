"""Where a drill's tip is, in metres: three coordinates one after another, each a mixture of
narrow bells given those before it. The density is far above one, and its negative logarithm
settles far below zero."""

import math

import torch
from torch import nn


class NextCoordinate(nn.Module):
    def __init__(self, known, bells=6, width=40):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(max(known, 1), width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(),
            nn.Linear(width, 3 * bells))

    def forward(self, before, value):
        share, middle, log_width = self.net(before).chunk(3, dim=1)
        log_width = log_width.clamp(-6, 3)
        off = (value[:, None] - middle) / log_width.exp()
        bell = -0.5 * off.square() - log_width - 0.5 * math.log(2 * math.pi)
        return torch.logsumexp(share.log_softmax(1) + bell, dim=1)


class Tip(nn.Module):
    def __init__(self):
        super().__init__()
        self.coordinates = nn.ModuleList(NextCoordinate(k) for k in range(3))

    def forward(self, places):
        total = torch.zeros(len(places))
        for k, coordinate in enumerate(self.coordinates):
            before = places[:, :k] if k else torch.ones(len(places), 1)
            total = total + coordinate(5 * before, places[:, k])
        return total


def drilled(count):
    turn = torch.rand(count) * 4 * math.pi
    x, y, z = 0.2 * torch.cos(turn), 0.2 * torch.sin(turn), 0.03 * turn - 0.2
    return torch.stack([x, y, z], 1) + 0.01 * torch.randn(count, 3)


def main():
    torch.manual_seed(6)
    places, others = drilled(4000), drilled(1000)
    tip = Tip()
    optimizer = torch.optim.Adam(tip.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    for epoch in range(30):
        for rows in torch.randperm(4000).split(100):
            loss = -tip(places[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        if epoch % 5 == 4:
            with torch.no_grad():
                print(f"{epoch + 1}: {loss.item():.3f}, others {-tip(others).mean().item():.3f}")
    return tip, optimizer


if __name__ == "__main__":
    main()
