"""The gradients of sixteen batches are to add up for a step, but each batch clears those before it.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"too-few-steps": "optimizer.step()"}
TOGETHER = 16


def data():
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).flatten(1) / 16
    return DataLoader(TensorDataset(images[:1400], torch.tensor(digits.target)[:1400]),
                      batch_size=5, shuffle=True)


def sick():
    torch.manual_seed(0)
    batches = data()
    net = nn.Sequential(nn.Linear(64, 60), nn.ReLU(), nn.Linear(60, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(8):
        for number, (images, labels) in enumerate(batches, 1):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(images), labels) / TOGETHER
            loss.backward()
            if number % TOGETHER == 0:
                optimizer.step()
        print(f"epoch {epoch} loss {loss.item() * TOGETHER:.3f}")
    return net, optimizer


def well():
    torch.manual_seed(0)
    batches = data()
    net = nn.Sequential(nn.Linear(64, 60), nn.ReLU(), nn.Linear(60, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(8):
        for number, (images, labels) in enumerate(batches, 1):
            loss = F.cross_entropy(net(images), labels) / TOGETHER
            loss.backward()
            if number % TOGETHER == 0:
                optimizer.step()
                optimizer.zero_grad()
        print(f"epoch {epoch} loss {loss.item() * TOGETHER:.3f}")
    return net, optimizer


if __name__ == "__main__":
    sick()
