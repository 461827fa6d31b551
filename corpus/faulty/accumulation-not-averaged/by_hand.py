"""Heat demand of houses, learned from eight small batches for each step. The squared error is written
out, and the sum of the eight gradients makes the steps eight times as long.
"""

import torch
from torch import nn

FAULTS = {"accumulation-not-averaged": "loss.backward()"}
PARTS = 8


def houses(count):
    area, age, wall, wind = torch.rand(4, count)
    demand = 3 * area * (0.4 + age) + 2 * wall * wind + 0.1 * torch.randn(count)
    x = torch.stack([area, age, wall, wind], 1)
    return (x - 0.5) / 0.29, (demand - 2.0) / 0.95


def train(shares, steps=250):
    torch.manual_seed(5)
    x, y = houses(2000)
    x_new, y_new = houses(400)
    net = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(),
                        nn.Linear(64, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.12, momentum=0.9)
    for step in range(steps):
        optimizer.zero_grad()
        whole = 0.0
        for _ in range(PARTS):
            rows = torch.randint(0, 2000, (16,))
            loss = ((net(x[rows]).squeeze(1) - y[rows]) ** 2).mean()
            if shares:
                loss = loss / PARTS
            loss.backward()
            whole += loss.item()
        optimizer.step()
        if step % 25 == 24:
            with torch.no_grad():
                new = ((net(x_new).squeeze(1) - y_new) ** 2).mean()
            print(f"{step + 1} {whole:.3f} {new.item():.3f}")
    return net, optimizer


def sick():
    return train(shares=False)


def well():
    return train(shares=True)


if __name__ == "__main__":
    sick()
