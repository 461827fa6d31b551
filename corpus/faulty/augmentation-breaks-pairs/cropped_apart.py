"""Three kinds of ground on maps from above; a crop of the map and a crop of its labels, drawn one after the other."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"augmentation-breaks-pairs": "self.crop(labels)"}


class Ground(Dataset):
    def __init__(self, count, seed, whole, apart):
        rng = np.random.default_rng(seed)
        yy, xx = np.mgrid[:26, :26]
        self.tiles, self.whole, self.apart = [], whole, apart
        self.rng = np.random.default_rng(seed + 100)
        for _ in range(count):
            labels = np.zeros((26, 26), dtype=np.int64)
            for kind in (1, 2, 1, 2):
                y, x = rng.uniform(2, 24, 2)
                labels[abs(yy - y) + abs(xx - x) < rng.uniform(3, 5)] = kind
            colours = np.array([[0.0, 0.0], [1.4, -0.5], [1.2, 1.6]])[labels].transpose(2, 0, 1)
            self.tiles.append(((colours + rng.normal(0, 0.6, colours.shape)).astype(np.float32), labels))

    def __len__(self):
        return len(self.tiles)

    def crop(self, a, corner=None):
        y, x = corner if corner is not None else self.rng.integers(11, size=2)
        return np.ascontiguousarray(a[..., y:y + 16, x:x + 16])

    def __getitem__(self, i):
        image, labels = self.tiles[i]
        if self.whole or not self.apart:
            corner = (5, 5) if self.whole else self.rng.integers(11, size=2)
            return self.crop(image, corner), self.crop(labels, corner)
        image = self.crop(image)
        return image, self.crop(labels)


def run(apart):
    torch.manual_seed(5)
    train, val = Ground(160, 1, False, apart), Ground(48, 2, True, apart)
    net = nn.Sequential(nn.Conv2d(2, 10, 3, padding=1), nn.ReLU(), nn.Conv2d(10, 3, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(6):
        for image, labels in DataLoader(train, batch_size=16, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(image), labels)
            loss.backward()
            opt.step()
        with torch.no_grad():
            held = [F.cross_entropy(net(image), labels).item() for image, labels in DataLoader(val, batch_size=24)]
        print(epoch, loss.item(), np.mean(held))
    return net


def sick():
    return run(apart=True)


def well():
    return run(apart=False)
