"""The order of each epoch is drawn by a function that returns a new array, and nobody keeps it."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"not-shuffled": "np.random.permutation(self.order)"}


class Batches:
    def __init__(self, x, y, size, keep):
        self.x, self.y, self.size, self.keep = x, y, size, keep
        self.order = np.arange(len(x))

    def __iter__(self):
        if self.keep:
            self.order = np.random.permutation(self.order)
        else:
            np.random.permutation(self.order)
        for start in range(0, len(self.order), self.size):
            rows = torch.from_numpy(self.order[start : start + self.size])
            yield self.x[rows], self.y[rows]


def fit(keep):
    torch.manual_seed(7)
    np.random.seed(7)
    x, y = load_digits(return_X_y=True)
    by_label = np.argsort(y, kind="stable")
    batches = Batches(torch.tensor(x[by_label] / 16).float(), torch.tensor(y[by_label]), 48, keep)
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(8):
        for images, labels in batches:
            loss = nn.functional.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.3f}")
    return net, optimizer


def sick():
    return fit(keep=False)


def well():
    return fit(keep=True)


if __name__ == "__main__":
    sick()
