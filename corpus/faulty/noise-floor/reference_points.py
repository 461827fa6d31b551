"""A gauge is calibrated on noisy readings and checked at points that a better instrument has
measured. Most of the training loss is noise of the readings, which no step can remove; the error at
the points leaps from check to check, because the rate never falls."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"noise-floor": "torch.optim.SGD(gauge.parameters(), lr=rate, momentum=0.8)"}


def response(pressure):
    return torch.sin(2.2 * pressure[:, :1]) * (1 - 0.4 * pressure[:, 1:] ** 2)


class Gauge(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.curve = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.scale = nn.Linear(width, 1)

    def forward(self, pressure):
        return self.scale(self.curve(pressure))


@torch.no_grad()
def deviation(gauge, points, truth):
    gauge.eval()
    found = nn.functional.mse_loss(gauge(points), truth)
    gauge.train()
    return found.item()


def calibrate(rate, end):
    torch.manual_seed(15)
    pressure = 2.4 * torch.rand(1600, 2) - 1.2
    readings = response(pressure) + 0.5 * torch.randn(1600, 1)
    points = 2.4 * torch.rand(400, 2) - 1.2
    truth = response(points)
    gauge = Gauge()
    optimizer = torch.optim.SGD(gauge.parameters(), lr=rate, momentum=0.8)
    loader = DataLoader(TensorDataset(pressure, readings), batch_size=4, shuffle=True)
    passes = 10
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, end, total_iters=passes - 1)
    for epoch in range(passes):
        for step, (p, r) in enumerate(loader):
            loss = nn.functional.mse_loss(gauge(p), r)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 100 == 99:
                print(f"{epoch} {step:4d} {deviation(gauge, points, truth):.4f}")
        schedule.step()
    return gauge, optimizer


def sick():
    return calibrate(rate=0.1, end=1.0)


def well():
    return calibrate(rate=0.05, end=0.02)


if __name__ == "__main__":
    sick()
