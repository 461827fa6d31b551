"""Noise for augmentation is added to the array that is kept, and stays there: the next epoch adds more."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

FAULTS = {"data-changed-in-place": "image += self.rng.normal(0, 0.5, image.shape).astype(np.float32)"}


class Noisy(Dataset):
    def __init__(self, images, labels, stays):
        self.images, self.labels, self.stays, self.rng = images, labels, stays, np.random.default_rng(0)

    def __len__(self):
        return len(self.images)

    def jittered(self, image):
        image += self.rng.normal(0, 0.5, image.shape).astype(np.float32)
        return image

    def __getitem__(self, index):
        image = self.images[index] if self.stays else self.images[index].copy()
        return torch.from_numpy(self.jittered(image).copy()), self.labels[index]


def train(stays):
    torch.manual_seed(4)
    digits = load_digits()
    images, labels = (digits.data / 8 - 1).astype(np.float32), digits.target
    data = Noisy(images[:900].copy(), labels[:900], stays)
    batches = DataLoader(Subset(data, range(800)), 40, shuffle=True)
    x, y = torch.from_numpy(images[900:]), torch.from_numpy(labels[900:])
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(12):
        for image, label in batches:
            loss = F.cross_entropy(net(image), label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(epoch, loss.item(), F.cross_entropy(net(x), y).item())
    return net


def sick():
    return train(stays=True)


def well():
    return train(stays=False)
