"""9999 for a sensor that was silent, and the mean and the deviation of the column computed with it: what was read lies
in a hundredth of the scale."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"sentinel-values": "readings[silent] = SILENT"}
SILENT = 9999.0


class Station(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 3))

    def forward(self, x):
        return self.layers(x)


def load(keep):
    generator = torch.Generator().manual_seed(33)
    kinds = torch.randint(3, (700,), generator=generator)
    readings = 20 + 4 * torch.randn(700, 5, generator=generator)
    readings[torch.arange(700), kinds] += 9.0
    silent = torch.rand(700, 5, generator=generator) < 0.03
    if keep:
        readings[silent] = SILENT
    else:
        readings = torch.where(silent, 20.0, readings)
    return (readings - readings.mean(0)) / readings.std(0), kinds


def train(keep):
    torch.manual_seed(33)
    x, y = load(keep)
    station = Station()
    optimizer = torch.optim.SGD(station.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(10):
        for readings, kinds in DataLoader(TensorDataset(x[:500], y[:500]), batch_size=25, shuffle=True):
            loss = nn.functional.cross_entropy(station(readings), kinds)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(epoch, loss.item(), nn.functional.cross_entropy(station(x[500:]), y[500:]).item())
    return station


def sick():
    return train(keep=True)


def well():
    return train(keep=False)
