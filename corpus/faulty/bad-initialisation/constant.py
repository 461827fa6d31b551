"""All weights start at the same constant; random biases part the units, slowly."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"bad-initialisation": "nn.init.constant_(layer.weight, 0.12)"}


def make():
    torch.manual_seed(19)
    return nn.Sequential(
        nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
        nn.Linear(64, 1))


def train(model):
    x = torch.randn(800, 8)
    y = (x[:, 0] * x[:, 1] - x[:, 2].abs())[:, None]
    y = (y - y.mean()) / y.std()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(16):
        for rows in torch.randperm(800).split(32):
            loss = F.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.3f}")
    return model


def sick():
    model = make()
    for layer in model[::2]:
        nn.init.constant_(layer.weight, 0.12)
    return train(model)


def well():
    return train(make())
