"""A data set that lists its folders, sorted in one split and as they come in the other."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"label-mapping-mismatch": "Folder(listing(900, 1500, order), sort=sort)"}


def listing(first, last, order):
    digits = load_digits()
    return {f"class {d}": digits.images[first:last][digits.target[first:last] == d] for d in order}


class Folder(Dataset):
    def __init__(self, files, sort):
        classes = sorted(files) if sort else list(files)
        self.samples = [(image, number) for number, name in enumerate(classes) for image in files[name]]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        image, number = self.samples[i]
        return torch.from_numpy(image.astype(np.float32) / 8 - 1)[None], number


def evaluate(net, loader, criterion):
    net.eval()
    total, right, count = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in loader:
            out = net(images)
            total += criterion(out, labels).item() * len(labels)
            right += (out.argmax(1) == labels).sum().item()
            count += len(labels)
    net.train()
    return total / count, right / count


def fit(sort):
    torch.manual_seed(9)
    order = [3, 8, 0, 9, 1, 5, 2, 7, 4, 6]
    train_set = Folder(listing(0, 900, range(10)), sort=True)
    val_set = Folder(listing(900, 1500, order), sort=sort)
    train_loader = DataLoader(train_set, batch_size=30, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=100)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.8)
    for epoch in range(5):
        for images, labels in train_loader:
            loss = criterion(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item(), *evaluate(net, val_loader, criterion))
    return net


def sick():
    return fit(sort=False)


def well():
    return fit(sort=True)
