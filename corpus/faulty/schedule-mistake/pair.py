"""A schedule meant to drop the rate every third epoch is stepped after every batch, and
within the first epoch the learning rate is as good as zero."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit
from torch import nn
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Subset, TensorDataset

FAULTS = {"schedule-mistake": "scheduler.step()"}


def loaders():
    digits = load_digits()
    x = torch.tensor(digits.images, dtype=torch.float32)[:, None]
    data = TensorDataset((x - 4.884) / 6.017, torch.tensor(digits.target))
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=0.25, random_state=0)
    train, val = next(splitter.split(digits.data, digits.target))
    return DataLoader(Subset(data, train), 32, shuffle=True), DataLoader(Subset(data, val), 150)


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 12, kernel_size=3),
        nn.GELU(),
        nn.Conv2d(12, 24, kernel_size=3, stride=2),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(24 * 2 * 2, 10),
    )


@torch.no_grad()
def evaluate(net, loader):
    net.eval()
    hits = sum(int((net(x).argmax(1) == y).sum()) for x, y in loader)
    net.train()
    return hits / len(loader.dataset)


def sick():
    torch.manual_seed(22)
    train_loader, val_loader = loaders()
    net = lenet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    scheduler = StepLR(optimizer, step_size=3, gamma=0.3)
    for epoch in range(9):
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x), y, label_smoothing=0.05)
            loss.backward()
            optimizer.step()
            scheduler.step()
        rate = scheduler.get_last_lr()[0]
        print(f"epoch {epoch + 1} rate {rate:.2g} val accuracy {evaluate(net, val_loader):.3f}")
    return net, optimizer


def well():
    torch.manual_seed(22)
    train_loader, val_loader = loaders()
    net = lenet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    scheduler = StepLR(optimizer, step_size=3, gamma=0.3)
    for epoch in range(9):
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x), y, label_smoothing=0.05)
            loss.backward()
            optimizer.step()
        scheduler.step()
        rate = scheduler.get_last_lr()[0]
        print(f"epoch {epoch + 1} rate {rate:.2g} val accuracy {evaluate(net, val_loader):.3f}")
    return net, optimizer


if __name__ == "__main__":
    sick()
