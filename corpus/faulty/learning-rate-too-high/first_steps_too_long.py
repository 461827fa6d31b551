"""Adam moves each weight by its rate in the first step, whatever the gradient is. At a tenth, the
first steps shut nearly all ReLU units of a layer, and the digits are learned with what is left."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

FAULTS = {"learning-rate-too-high": "torch.optim.Adam(net.parameters(), lr=rate)"}


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 64)
        self.d = nn.Linear(64, 10)

    def forward(self, x):
        for layer in (self.a, self.b, self.c):
            x = F.relu(layer(x))
        return self.d(x)


def batches(x, y, size, rng):
    order = rng.permutation(len(x))
    for begin in range(0, len(x) - size + 1, size):
        rows = order[begin:begin + size]
        yield x[rows], y[rows]


def train(rate):
    torch.manual_seed(10)
    rng = np.random.default_rng(10)
    pixels, digit = load_digits(return_X_y=True)
    order = rng.permutation(len(digit))
    pixels = (pixels - pixels.mean()) / pixels.std()
    x = torch.tensor(pixels[order], dtype=torch.float32)
    y = torch.tensor(digit[order])
    net = Digits()
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    for epoch in range(10):
        losses = []
        for images, labels in batches(x[:1400], y[:1400], 50, rng):
            loss = F.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            right = (net(x[1400:]).argmax(1) == y[1400:]).float().mean().item()
        print(f"epoch {epoch}: loss {np.mean(losses):.3f}, {right:.3f} right")
    return net, optimizer


def sick():
    return train(rate=0.1)


def well():
    return train(rate=1e-3)


if __name__ == "__main__":
    sick()
