"""The state of a recurrent layer with one unit is taken for the forecast of a load curve."""

import math

import torch
from torch import nn

FAULTS = {"wrong-output-activation": "states, _ = self.last(states)"}
HOURS = 24


def curve(count, generator):
    hour = torch.arange(count).float()
    day = torch.exp(2 * torch.cos(2 * math.pi * (hour - 18) / 24))
    week = 1 + 0.3 * torch.cos(2 * math.pi * hour / 168)
    return day * week + 0.1 * torch.randn(count, generator=generator)


class Forecast(nn.Module):
    def __init__(self, last):
        super().__init__()
        self.first = nn.LSTM(1, 24, batch_first=True)
        self.last = last
        self.head = nn.Identity() if isinstance(last, nn.LSTM) else nn.Linear(24, 1)

    def forward(self, hours):
        states, _ = self.first(hours.unsqueeze(2))
        if isinstance(self.last, nn.LSTM):
            states, _ = self.last(states)
            return states[:, -1, 0]
        return self.head(states[:, -1])[:, 0]


def train(last):
    torch.manual_seed(6)
    load = curve(2000, torch.Generator().manual_seed(6))
    load = (load - load.mean()) / load.std()
    hours, following = load.unfold(0, HOURS, 1)[:-1], load[HOURS:]
    model = Forecast(last())
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(12):
        for rows in torch.randperm(1500).split(50):
            loss = nn.functional.mse_loss(model(hours[rows]), following[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            rest = (model(hours[1500:]) - following[1500:]).square().mean()
        print(f"{epoch} loss {loss.item():.3f} held out {rest:.3f}")
    return model


def sick():
    return train(lambda: nn.LSTM(24, 1, batch_first=True))


def well():
    return train(nn.Identity)


if __name__ == "__main__":
    sick()
