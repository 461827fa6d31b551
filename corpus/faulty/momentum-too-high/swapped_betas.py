"""Adam with its betas in the wrong order: the mean over gradients is a hundred times too long."""

import math

import torch
from torch import nn

FAULTS = {"momentum-too-high": "torch.optim.Adam(net.parameters(), lr=0.004, betas=betas)"}


def picture(size=24):
    rows, columns = torch.meshgrid(*[torch.linspace(-1, 1, size)] * 2, indexing="ij")
    grey = torch.sin(4 * rows) * torch.cos(5 * columns) + 0.5 * rows * columns
    where = torch.stack([rows, columns], -1).reshape(-1, 2)
    angles = where @ torch.randn(2, 24, generator=torch.Generator().manual_seed(0)) * math.pi
    return torch.cat([angles.sin(), angles.cos()], 1), grey.reshape(-1, 1) / grey.std()


def fit(betas):
    torch.manual_seed(1)
    x, y = picture()
    net = nn.Sequential(nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
                        nn.Linear(64, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.004, betas=betas)
    for step in range(400):
        rows = torch.randint(len(x), (128,))
        loss = nn.functional.mse_loss(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 49:
            print(step, f"{loss:.4f}")
    return net, optimizer


def sick():
    return fit(betas=(0.999, 0.9))


def well():
    return fit(betas=(0.9, 0.999))


if __name__ == "__main__":
    sick()
