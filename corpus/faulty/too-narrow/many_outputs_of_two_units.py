"""Fourteen curves of a patient are predicted from blood values: a trunk ends in two units, and one
layer for each curve takes both. Nine hidden states of the patient make the curves."""

import numpy as np
import torch
from torch import nn

FAULTS = {"too-narrow": "nn.Linear(wide, narrow)"}


class Curves(nn.Module):
    def __init__(self, values, curves, wide, narrow):
        super().__init__()
        self.inner = nn.Linear(values, wide)
        self.state = nn.Linear(wide, narrow)
        self.heads = nn.ModuleList([nn.Linear(narrow, 1) for _ in range(curves)])

    def forward(self, x):
        state = torch.relu(self.state(torch.tanh(self.inner(x))))
        return torch.cat([head(state) for head in self.heads], dim=1)


def patients(count):
    rng = np.random.default_rng(11)
    blood = rng.normal(size=(count, 10))
    states = np.tanh(blood @ rng.normal(size=(10, 9)) / 3) * 1.5
    curves = states @ rng.normal(size=(9, 14)) / 3 + 0.05 * rng.normal(size=(count, 14))
    return torch.tensor(blood).float(), torch.tensor(curves / curves.std(0)).float()


def run(narrow):
    torch.manual_seed(4)
    x, y = patients(1600)
    net = Curves(10, 14, 48, narrow)
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(30):
        total = 0.0
        for rows in torch.randperm(1280).split(64):
            loss = nn.functional.mse_loss(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        with torch.no_grad():
            check = nn.functional.mse_loss(net(x[1280:]), y[1280:])
        print(f"{epoch:2d} {total / 20:.3f} {check:.3f}")
    return net


def sick():
    return run(2)


def well():
    return run(40)


if __name__ == "__main__":
    sick()
