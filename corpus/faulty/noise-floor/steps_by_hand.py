"""A calibration curve from noisy readings, checked by exact ones. The weights are updated by hand, in
steps of four readings that never become smaller.
"""

import torch
from torch import nn

FAULTS = {"noise-floor": "weight -= rate * slope"}


def readings(count):
    place = torch.rand(count, 3) * 2 - 1
    exact = torch.sin(3 * place[:, 0]) + place[:, 1] * place[:, 2]
    return place, exact


def train(falls, steps=9000):
    torch.manual_seed(11)
    place, exact = readings(3000)
    read = exact + 0.4 * torch.randn(3000)
    checked, truth = readings(500)
    net = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(),
                        nn.Linear(32, 1))
    weights = list(net.parameters())
    for step in range(steps):
        rate = 0.15 * ((1 - step / steps) if falls else 1.0)
        rows = torch.randint(0, 3000, (4,))
        loss = ((net(place[rows])[:, 0] - read[rows]) ** 2).mean()
        slopes = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for weight, slope in zip(weights, slopes):
                weight -= rate * slope
        if step % 500 == 499:
            with torch.no_grad():
                missed = ((net(checked)[:, 0] - truth) ** 2).mean()
            print(f"{step + 1} {loss.item():.3f} {missed.item():.4f}")
    return net


def sick():
    return train(falls=False)


def well():
    return train(falls=True)


if __name__ == "__main__":
    sick()
