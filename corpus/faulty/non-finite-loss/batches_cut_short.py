"""Disease progression by batches that are cut by hand: all but the first have no rows."""

import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

FAULTS = {"non-finite-loss": "net(rows)"}

SIZE = 32


def cut(table, start, whole):
    return table[start : start + SIZE] if whole else table[start:SIZE]


def train(whole):
    torch.manual_seed(0)
    x, y = load_diabetes(return_X_y=True)
    x = torch.tensor(x * 20, dtype=torch.float32)
    y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32).view(-1, 1)
    net = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
    for epoch in range(12):
        total = 0.0
        for start in range(0, len(x), SIZE):
            rows, wanted = cut(x, start, whole), cut(y, start, whole)
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(rows), wanted)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(epoch, total)
    return net


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
