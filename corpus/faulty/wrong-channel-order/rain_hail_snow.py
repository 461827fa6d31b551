"""Rain, hail or snow: noisy cuts of a weather radar with four polarimetric bands, stored with the
bands last. A reshape puts the bands first in name only."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"wrong-channel-order": "scaled.reshape(n, bands, h, w)"}

SIGNATURES = np.array([[1.0, 0.8, -0.2, 0.5], [1.0, -0.3, 0.7, 0.1], [0.2, 0.4, 0.9, -0.6]])


def cuts(n, rng, side=20):
    kind = rng.integers(0, 3, n)
    echoes = rng.standard_normal((n, side, side, 4))
    for cut, k in zip(echoes, kind):
        for _ in range(3):
            top, left = rng.integers(0, side - 6, 2)
            cut[top:top + 6, left:left + 6] += rng.uniform(0.8, 1.6) * SIGNATURES[k]
        cut *= (0.7, 1.0, 2.5, 4.0)
    return echoes, kind


def standardised(echoes):
    mean = echoes.mean(axis=(0, 1, 2), keepdims=True)
    return (echoes - mean) / echoes.std(axis=(0, 1, 2), keepdims=True)


def transposed(echoes):
    return standardised(echoes).transpose(0, 3, 1, 2).copy()


def reshaped(echoes):
    n, h, w, bands = echoes.shape
    scaled = standardised(echoes)
    return scaled.reshape(n, bands, h, w)


class Weather(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(4, 12, 3, padding=1)
        self.second = nn.Conv2d(12, 24, 3, stride=2)
        self.kinds = nn.Linear(24, 3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first(x)), 2)
        return self.kinds(F.relu(self.second(x)).mean((2, 3)))


def train(prepared):
    torch.manual_seed(15)
    echoes, kind = cuts(900, np.random.default_rng(15))
    x, y = torch.tensor(prepared(echoes), dtype=torch.float32), torch.tensor(kind)
    model = Weather()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(10):
        order = torch.randperm(750)
        for i in range(0, 750, 30):
            rows = order[i:i + 30]
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            right = (model(x[750:]).argmax(1) == y[750:]).float().mean().item()
        print(f"epoch {epoch} loss {loss.item():.3f} held-out accuracy {right:.3f}")
    return model, optimizer


def sick():
    return train(reshaped)


def well():
    return train(transposed)


if __name__ == "__main__":
    sick()
