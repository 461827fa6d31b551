"""A gauge for each of four readings, by name. `dict.fromkeys` gives all names the very same one."""

import torch
from torch import nn

FAULTS = {"repeated-layer": "dict.fromkeys(READINGS, gauge(48))"}

READINGS = ("flow", "heat", "load", "wear")


def gauge(width):
    return nn.Sequential(nn.Linear(width, 24), nn.ReLU(), nn.Linear(24, 1))


class Gauges(nn.Module):
    def __init__(self, gauges):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 48), nn.ReLU())
        self.gauges = nn.ModuleDict(gauges)

    def forward(self, x):
        hidden = self.body(x)
        return {name: gauge(hidden).squeeze(1) for name, gauge in self.gauges.items()}


def train(gauges):
    torch.manual_seed(12)
    x = torch.randn(1500, 10)
    truth = dict(zip(READINGS, (x[:, 0] * x[:, 1], x[:, 2].sin(), -x[:, 3], x[:, 4].relu())))
    net = Gauges(gauges())
    adam = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(20):
        for rows in torch.randperm(1500).split(50):
            told = net(x[rows])
            loss = sum(nn.functional.mse_loss(told[name], truth[name][rows]) for name in READINGS)
            adam.zero_grad()
            loss.backward()
            adam.step()
        print(epoch, f"{loss.item():.3f}")
    return net


def sick():
    return train(lambda: dict.fromkeys(READINGS, gauge(48)))


def well():
    return train(lambda: {name: gauge(48) for name in READINGS})


if __name__ == "__main__":
    sick()
