"""Which crop grows here is told by the season in which it is green: grainy cuts of four passes of a
satellite, stored with the passes last. A reshape puts them first in name only."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"wrong-channel-order": "model(x[rows])"}

YEAR = np.array([1.0, 0.6, -0.1, 0.3])


def cuts(n, rng, side=20):
    """Three plots of one crop each, and one of grass, which is as green in each season."""
    crop = rng.integers(0, 4, n)
    passes = rng.standard_normal((n, side, side, 4))
    for cut, k in zip(passes, crop):
        for green in (*[np.roll(YEAR, k)] * 3, np.full(4, 0.5)):
            top, left = rng.integers(0, side - 6, 2)
            cut[top:top + 6, left:left + 6] += rng.uniform(0.6, 1.2) * green
        cut *= (0.7, 1.0, 2.5, 4.0)
    return passes, crop


def standardised(passes):
    return (passes - passes.mean((0, 1, 2))) / passes.std((0, 1, 2))


def transposed(passes):
    return standardised(passes).transpose(0, 3, 1, 2).copy()


def reshaped(passes):
    n, h, w, bands = passes.shape
    return standardised(passes).reshape(n, bands, h, w)


class Fields(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(4, 12, 3)
        self.second = nn.Conv2d(12, 24, 3)
        self.crops = nn.Linear(24, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first(x)), 3)
        return self.crops(F.relu(self.second(x)).mean((2, 3)))


def train(prepared):
    torch.manual_seed(15)
    passes, crop = cuts(1000, np.random.default_rng(15))
    x, y = torch.tensor(prepared(passes), dtype=torch.float32), torch.tensor(crop)
    model = Fields()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(10):
        order = torch.randperm(800)
        for i in range(0, 800, 32):
            rows = order[i:i + 32]
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            right = (model(x[800:]).argmax(1) == y[800:]).float().mean().item()
        print(f"epoch {epoch} loss {loss.item():.3f} held-out accuracy {right:.3f}")
    return model, optimizer


def sick():
    return train(reshaped)


def well():
    return train(transposed)


if __name__ == "__main__":
    sick()
