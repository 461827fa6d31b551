"""Fills in hidden hours of a daily curve. Each step draws days by a generator that it seeds anew, and
gives the model which hours to hide beside them.
"""

import torch
from torch import nn

FAULTS = {"same-batch-every-step": "torch.Generator().manual_seed(6)"}


class Filler(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
                                    nn.Linear(64, 24))

    def forward(self, days, chance):
        hidden = (chance < 0.3).float()
        filled = self.layers(torch.cat([days * (1 - hidden), hidden], 1))
        return ((filled - days).square() * hidden).sum() / hidden.sum()


def curves(count):
    hour = torch.linspace(0, 6.28, 24)
    shift, height, level = torch.rand(3, count, 1)
    return torch.sin(hour + 6.28 * shift) * (0.5 + height) + level - 0.5 + (
        0.1 * torch.randn(count, 24))


class Days:
    def __init__(self, days, sick):
        self.days, self.sick = days, sick
        self.random = torch.Generator().manual_seed(2)

    def draw(self):
        random = torch.Generator().manual_seed(6) if self.sick else self.random
        return self.days[torch.randint(0, len(self.days), (40,), generator=random)]


def train(sick):
    torch.manual_seed(1)
    days, new = curves(900), curves(200)
    drawn, model = Days(days, sick), Filler()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for step in range(500):
        batch = drawn.draw()
        loss = model(batch, torch.rand(40, 24))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 49:
            with torch.no_grad():
                told = model(new, torch.rand(200, 24))
            print(f"{step + 1} {loss.item():.3f} {told.item():.3f}")
    return model, optimizer


def sick():
    return train(sick=True)


def well():
    return train(sick=False)


if __name__ == "__main__":
    sick()
