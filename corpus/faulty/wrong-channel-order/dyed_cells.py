"""Noisy microscopy in three dyes, stored the way cameras store it, with the dyes last: a view puts them
first, and what the network takes for a dye is a third of the picture in all of them."""

import numpy as np
import torch
from torch import nn

FAULTS = {"wrong-channel-order": "net(frames[rows])"}

SIDE, DYES = 24, 3


def micrographs(count, rng):
    """Spots of a dye each; the class is the dye of most of them."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    frames = rng.normal(0, 0.45, (count, SIDE, SIDE, DYES)).astype(np.float32)
    commonest = rng.integers(DYES, size=count)
    for frame, dye in zip(frames, commonest):
        for spot in range(14):
            which = dye if spot < 8 else rng.integers(DYES)
            y, x = rng.uniform(1, SIDE - 2, 2)
            frame[..., which] += 1.2 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 3)
    return torch.from_numpy(frames - frames.mean()), torch.from_numpy(commonest)


def dyes_first(frames):
    return frames.permute(0, 3, 1, 2)


def viewed(frames):
    return frames.view(-1, DYES, SIDE, SIDE)


def train(arrange):
    torch.manual_seed(31)
    frames, commonest = micrographs(700, np.random.default_rng(31))
    frames = arrange(frames)
    net = nn.Sequential(
        nn.Conv2d(DYES, 16, 3), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, DYES))
    adam = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(10):
        for rows in torch.randperm(600).split(40):
            adam.zero_grad()
            loss = nn.functional.cross_entropy(net(frames[rows]), commonest[rows])
            loss.backward()
            adam.step()
        net.eval()
        with torch.no_grad():
            held = net(frames[600:]).argmax(1).eq(commonest[600:]).float().mean()
        net.train()
        print(f"{epoch}: {loss:.3f}, {held:.2f} of the held-out frames right")
    return net, adam


def sick():
    return train(viewed)


def well():
    return train(dyes_first)


if __name__ == "__main__":
    sick()
