"""The batches are a zip, which is at its end after the first epoch: all later ones make no step."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"too-few-steps": "batches"}


def data():
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).flatten(1) / 16
    return images[:1400], torch.tensor(digits.target)[:1400]


def train(net, batches, epochs=20):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        seen, total = 0, 0.0
        for rows, wanted in batches:
            optimizer.zero_grad()
            loss = criterion(net(rows), wanted)
            loss.backward()
            optimizer.step()
            seen, total = seen + 1, total + loss.item()
        print(f"epoch {epoch} loss {total / max(seen, 1):.3f}")
    return net, optimizer


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 60), nn.ReLU(), nn.Linear(60, 40), nn.ReLU(), nn.Linear(40, 10))


def sick():
    images, labels = data()
    return train(network(), zip(images.split(35), labels.split(35)))


def well():
    images, labels = data()
    return train(network(), list(zip(images.split(35), labels.split(35))))


if __name__ == "__main__":
    sick()
