"""A forecast of a plant's output comes down fast and then hangs: the rate is too large for the
batches' noise, and nothing lets it decay."""

import math

import torch
from torch import nn

FAULTS = {"noise-floor": "torch.optim.SGD(plant.parameters(), lr=rate)"}


def measurements(n=2000, sensors=24):
    torch.manual_seed(100)
    readings = torch.randn(n, sensors)
    effect = torch.randn(sensors, 1) / math.sqrt(sensors)
    return readings, readings @ effect + 0.7 * torch.randn(n, 1)


def batches(count, size, n):
    for _ in range(count):
        yield torch.randint(0, n, (size,))


def train(rate, decay, steps=1200, size=16):
    readings, output = measurements()
    plant = nn.Sequential(nn.Linear(24, 1))
    optimizer = torch.optim.SGD(plant.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=decay)
    mse = nn.MSELoss()
    for step, rows in enumerate(batches(steps, size, len(readings))):
        optimizer.zero_grad()
        error = mse(plant(readings[rows]), output[rows])
        error.backward()
        optimizer.step()
        schedule.step()
        if step % 200 == 0:
            print(f"{step:5d} {error.item():.4f}")
    return plant, optimizer


def sick():
    return train(rate=0.15, decay=1.0)


def well():
    return train(rate=0.1, decay=0.997)


if __name__ == "__main__":
    sick()
