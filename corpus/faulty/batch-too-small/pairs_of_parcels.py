"""How many parcels a depot gets is noisy. With two days a step, each step follows the noise of its
own days, and units of the network end where they are zero for all days."""

import torch
from torch import nn

FAULTS = {"batch-too-small": "net(x[rows])"}

PAIR, MANY = 2, 64


def days(count):
    x = torch.randn(count, 8)
    level = 1.2 * torch.sin(x[:, 0]) + 0.8 * x[:, 1] * x[:, 2] + 0.5 * x[:, 3]
    noise = torch.distributions.StudentT(2.5).sample((count,))
    y = level + 1.3 * noise
    return x, (y - y.mean()) / y.std()


def run(size):
    torch.manual_seed(9)
    x, y = days(4000)
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(),
                        nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(4 if size == PAIR else 12):
        total = 0.0
        for rows in torch.randperm(4000).split(size):
            loss = (net(x[rows]).squeeze(1) - y[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(epoch, f"{total / 4000:.3f}")
    return net


def sick():
    return run(PAIR)


def well():
    return run(MANY)


if __name__ == "__main__":
    sick()
