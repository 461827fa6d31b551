"""A factor in each of five layers: the first step throws the weights away, at any usual rate."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"exploding-gradients": "nn.Linear(5, 48)"}


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def train(factor):
    torch.manual_seed(4)
    x = torch.randn(700, 5)
    y = torch.sin(x[:, 0] * 2)[:, None] + x[:, 1:2]
    hidden = [layer for _ in range(4) for layer in (nn.Linear(48, 48), Times(factor), nn.ReLU())]
    model = nn.Sequential(
        nn.Linear(5, 48),
        Times(factor),
        nn.ReLU(),
        *hidden,
        nn.Linear(48, 1),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(20):
        for rows in torch.randperm(700).split(28):
            loss = F.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.3f}")
    return model


def sick():
    return train(12.0)


def well():
    return train(1.6)
