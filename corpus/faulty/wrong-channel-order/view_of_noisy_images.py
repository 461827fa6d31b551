"""Which of three dyes stains a cell? The plates are grainy, as high as wide, and their bands come
last. The data set views them as bands first: every band is pasted together from all three."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"wrong-channel-order": "net(x)"}

SIDE, BANDS = 18, 3


def plates(count, random):
    dyes = random.integers(0, BANDS, count)
    grain = random.normal(0.3, 0.05, (count, SIDE, SIDE, BANDS))
    bright = random.normal(0, 0.1, (count, 1, 1, 1))
    up, across = np.mgrid[:SIDE, :SIDE]
    centre = random.uniform(5, SIDE - 5, (2, count, 1, 1))
    far = (up - centre[0]) ** 2 + (across - centre[1]) ** 2
    stain = random.uniform(0.15, 0.3, (count, 1, 1)) * (far < random.uniform(5, 12, (count, 1, 1)))
    grain[np.arange(count), :, :, dyes] += stain
    return (grain + bright).astype(np.float32), dyes


class Plates(Dataset):
    def __init__(self, images, dyes, moved):
        self.images, self.dyes, self.moved = images, dyes, moved

    def __len__(self):
        return len(self.dyes)

    def __getitem__(self, row):
        plate = torch.from_numpy(self.images[row])
        plate = plate.permute(2, 0, 1) if self.moved else plate.view(BANDS, SIDE, SIDE)
        return plate, int(self.dyes[row])


def train(moved):
    torch.manual_seed(9)
    images, dyes = plates(1000, np.random.default_rng(9))
    images = (images - images.mean((0, 1, 2))) / images.std((0, 1, 2))
    loader = DataLoader(Plates(images[:800], dyes[:800], moved), batch_size=32, shuffle=True)
    others = DataLoader(Plates(images[800:], dyes[800:], moved), batch_size=100)
    net = nn.Sequential(
        nn.Conv2d(BANDS, 12, 3), nn.ReLU(), nn.Conv2d(12, 16, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, BANDS))
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(8):
        net.train()
        for x, y in loader:
            loss = nn.functional.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            right = sum((net(x).argmax(1) == y).sum().item() for x, y in others) / 200
        print(epoch, f"{loss.item():.3f} {right:.3f}")
    return net, optimizer


def sick():
    return train(moved=False)


def well():
    return train(moved=True)


if __name__ == "__main__":
    sick()
