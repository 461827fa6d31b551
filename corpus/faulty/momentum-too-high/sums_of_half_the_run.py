"""Yield of a still from its settings. Each step adds up the last five hundred gradients, of a run
that has not many more."""

import torch
from torch import nn

FAULTS = {
    "momentum-too-high": "torch.optim.RMSprop(net.parameters(), lr=1e-3, momentum=momentum)",
}


def runs_of_the_still(count):
    settings = 2 * torch.rand(count, 4) - 1
    heat, reflux, feed, pressure = settings.T
    out = torch.sin(3 * heat) * (1 + reflux) + feed * pressure + 0.05 * torch.randn(count)
    return settings, ((out - out.mean()) / out.std())[:, None]


def train(momentum):
    torch.manual_seed(18)
    settings, out = runs_of_the_still(2500)
    net = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3, momentum=momentum)
    for epoch in range(30):
        total = 0.0
        for rows in torch.randperm(2000).split(64):
            loss = nn.functional.mse_loss(net(settings[rows]), out[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows) / 2000
        with torch.no_grad():
            rest = nn.functional.mse_loss(net(settings[2000:]), out[2000:])
        print(f"epoch {epoch}: {total:.4f}, held out {rest:.4f}")
    return net, optimizer


def sick():
    return train(momentum=0.998)


def well():
    return train(momentum=0.9)


if __name__ == "__main__":
    sick()
