"""Digits from a sorted table. The number of training pictures is taken for granted from the smaller set
that was printed last, so only the first few classes are ever drawn."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"sampler-misses-samples": "net(x_train[rows])"}


def read():
    digits = load_digits()
    order = digits.target.argsort(kind="stable")
    x = torch.tensor(digits.data[order], dtype=torch.float32) / 16
    y = torch.tensor(digits.target[order])
    test = torch.arange(len(x)) % 4 == 0
    return x[~test], y[~test], x[test], y[test]


def train(all_rows):
    torch.manual_seed(2)
    x_train, y_train, x_test, y_test = read()
    for name, part in (("train", x_train), ("test", x_test)):
        count = len(part)
        print(name, count)
    if all_rows:
        count = len(x_train)
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(40 if not all_rows else 14):
        for rows in torch.randperm(count).split(30):
            loss = F.cross_entropy(net(x_train[rows]), y_train[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            told = net(x_test)
            print(epoch, f"{loss:.3f} {F.cross_entropy(told, y_test):.3f}")
    return net


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
