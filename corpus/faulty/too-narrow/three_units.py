"""The heights of a landscape by a small network; every hidden layer has three units."""

import torch
from torch import nn

FAULTS = {"too-narrow": "nn.Linear(i, o)"}


class Landscape:
    def __init__(self, hills=14):
        self.centre = torch.rand(hills, 2) * 2 - 1
        self.height = torch.randn(hills)
        self.width = 0.2 + 0.15 * torch.rand(hills)

    def __call__(self, places):
        apart = ((places[:, None] - self.centre) ** 2).sum(-1)
        return (self.height * torch.exp(-apart / (2 * self.width**2))).sum(-1)


class Field(nn.Module):
    def __init__(self, units):
        super().__init__()
        sizes = [2, units, units, units]
        self.hidden = nn.ModuleList(
            [nn.Linear(i, o) for i, o in zip(sizes[:-1], sizes[1:], strict=True)])
        self.out = nn.Linear(units, 1)

    def forward(self, places):
        for layer in self.hidden:
            places = torch.tanh(layer(places))
        return self.out(places).squeeze(-1)


def train(units):
    torch.manual_seed(5)
    land = Landscape()
    places, others = torch.rand(2000, 2) * 2 - 1, torch.rand(500, 2) * 2 - 1
    heights, wanted = land(places), land(others)
    mean, deviation = heights.mean(), heights.std()
    heights, wanted = (heights - mean) / deviation, (wanted - mean) / deviation
    model = Field(units)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
    for epoch in range(40):
        for rows in torch.randperm(2000).split(64):
            loss = nn.functional.mse_loss(model(places[rows]), heights[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        if epoch % 5 == 4:
            with torch.no_grad():
                print(epoch, loss.item(), nn.functional.mse_loss(model(others), wanted).item())
    return model


def sick():
    return train(3)


def well():
    return train(64)


if __name__ == "__main__":
    sick()
