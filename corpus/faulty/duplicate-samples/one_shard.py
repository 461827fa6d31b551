"""A stream reads its shards by functions made in a loop: all of them read the shard of the last."""

import random

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

FAULTS = {"duplicate-samples": "DataLoader(Stream(readers), batch_size=50)"}


class Stream(IterableDataset):
    def __init__(self, readers):
        self.readers = readers
        self.order = random.Random(3)

    def __iter__(self):
        waiting = []
        for read in self.order.sample(self.readers, len(self.readers)):
            waiting += read()
        self.order.shuffle(waiting)
        yield from waiting


def readers_of(shards, own):
    if own:
        return [lambda number=number: shards[number] for number in range(len(shards))]
    return [lambda: shards[number] for number in range(len(shards))]


def train(own):
    torch.manual_seed(7)
    data, target = load_digits(return_X_y=True)
    rows = torch.randperm(len(data))
    x = torch.tensor(data, dtype=torch.float32)[rows] / 16
    y = torch.tensor(target)[rows]
    x_new, y_new = x[1000:], y[1000:]
    pairs = list(zip(x[:1000], y[:1000], strict=True))
    readers = readers_of([pairs[start:start + 50] for start in range(0, 1000, 50)], own)
    loader = DataLoader(Stream(readers), batch_size=50)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, weight_decay=1e-4)
    for epoch in range(12):
        for images, digits in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images), digits).backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (net(x_new).argmax(1) == y_new).float().mean()
        print(epoch, f"{accuracy:.3f}")
    return net


def sick():
    return train(own=False)


def well():
    return train(own=True)
