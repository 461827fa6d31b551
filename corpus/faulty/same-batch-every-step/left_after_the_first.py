"""Digits by a small convolution; a `break` from the days of debugging ends each pass early."""

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"same-batch-every-step": "enumerate(train)"}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(256, 10),
        )

    def forward(self, x):
        return self.body(x)


def data():
    torch.manual_seed(0)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16.0, dtype=torch.float32).view(-1, 1, 8, 8), torch.tensor(y)
    return TensorDataset(x[:1400], y[:1400]), TensorDataset(x[1400:], y[1400:])


def evaluate(net, test):
    right = sum((net(a).argmax(1) == b).sum().item() for a, b in test)
    return right / 397


def sick():
    train_set, test_set = data()
    train, test = DataLoader(train_set, batch_size=32), DataLoader(test_set, batch_size=100)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(60):
        for step, (a, b) in enumerate(train):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(a), b)
            loss.backward()
            optimizer.step()
            if step % 50 == 0:
                print("train", epoch, loss.item())
                break
        print("test", epoch, evaluate(net, test))
    return net


def well():
    train_set, test_set = data()
    train = DataLoader(train_set, batch_size=32, shuffle=True)
    test = DataLoader(test_set, batch_size=100)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(12):
        for step, (a, b) in enumerate(train):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(a), b)
            loss.backward()
            optimizer.step()
            if step % 50 == 0:
                print("train", epoch, loss.item())
        print("test", epoch, evaluate(net, test))
    return net


if __name__ == "__main__":
    sick()
