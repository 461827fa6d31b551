"""Movements told from four axes of a watch, stored with the axes last, and given to convolutions over
time."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"wrong-channel-order": "kept.reshape(-1, 4, 40)"}


def recorded(count, random):
    kinds = random.integers(0, 4, count)
    time = np.arange(40) / 20.0
    series = 0.5 * random.standard_normal((count, 40, 4))
    for row, kind in enumerate(kinds):
        pace, turn = 1.0 + 1.5 * (kind % 2), np.pi / 2 * (1 if kind < 2 else -1)
        begin, axis = random.uniform(0, 6.3), 2 * random.integers(0, 2)
        series[row, :, axis] += np.sin(6.3 * pace * time + begin)
        series[row, :, axis + 1] += np.sin(6.3 * pace * time + begin + turn)
    return series.astype(np.float32), kinds


def train(arranged):
    torch.manual_seed(3)
    series, kinds = recorded(1200, np.random.default_rng(3))
    kept = torch.from_numpy((series - series.mean((0, 1))) / series.std((0, 1)))
    kept, kinds = arranged(kept), torch.from_numpy(kinds)
    net = nn.Sequential(
        nn.Conv1d(4, 16, 7, padding=3), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(16, 16, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(16, 4))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(12):
        for rows in torch.randperm(1000).split(50):
            loss = F.cross_entropy(net(kept[rows]), kinds[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            right = (net(kept[1000:]).argmax(1) == kinds[1000:]).float().mean()
        net.train()
        print(epoch, f"{loss:.3f} {right:.3f}")
    return net


def sick():
    return train(lambda kept: kept.reshape(-1, 4, 40))


def well():
    return train(lambda kept: kept.transpose(1, 2))


if __name__ == "__main__":
    sick()
