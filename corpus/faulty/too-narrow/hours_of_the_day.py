"""The demand for bicycles by hour, month and weather is to be learned by hidden layers of two units. The
loss falls by two thirds, and still it is far above what the data allow."""

import math

import torch
from torch import nn

FAULTS = {"too-narrow": "nn.Linear(8, units)"}


def days(count, generator):
    hour = torch.randint(0, 24, (count,), generator=generator).float()
    month = torch.randint(0, 12, (count,), generator=generator).float()
    warm = torch.randn(count, generator=generator)
    rain = torch.rand(count, generator=generator)
    rush = torch.exp(-((hour - 8) ** 2) / 6) + torch.exp(-((hour - 17) ** 2) / 7)
    season = 1.2 - torch.cos(2 * math.pi * month / 12)
    demand = rush * season * torch.exp(-((warm - 0.6) ** 2) / 3) * (1 - 0.7 * rain)
    turns = [hour / 24, hour / 12, month / 12]
    waves = [wave(2 * math.pi * turn) for turn in turns for wave in (torch.sin, torch.cos)]
    return torch.stack([*waves, warm, 2 * rain - 1], 1), (demand - demand.mean()) / demand.std()


class Demand(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.first, self.second = nn.Linear(8, units), nn.Linear(units, units)
        self.last, self.bend = nn.Linear(units, 1), nn.LeakyReLU(0.1)

    def forward(self, x):
        return self.last(self.bend(self.second(self.bend(self.first(x))))).squeeze(1)


def train(units):
    torch.manual_seed(9)
    x, y = days(3000, torch.Generator().manual_seed(9))
    model = Demand(units)
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3)
    criterion = nn.MSELoss()
    for epoch in range(24):
        for rows in torch.randperm(2400).split(60):
            loss = criterion(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            held_out = criterion(model(x[2400:]), y[2400:])
        print(epoch, loss.item(), held_out.item())
    return model, optimizer


def sick():
    return train(units=2)


def well():
    return train(units=48)


if __name__ == "__main__":
    sick()
