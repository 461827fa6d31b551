"""The backward pass and the step stand behind the loop over batches: of each epoch only the last
loss is learned from."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"too-few-steps": "loss.backward()"}


def data():
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).flatten(1) / 16
    return images[:1400], torch.tensor(digits.target)[:1400]


def sick():
    images, labels = data()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 60), nn.ReLU(), nn.Linear(60, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(15):
        for rows in torch.randperm(len(images)).split(50):
            optimizer.zero_grad()
            loss = criterion(net(images[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        print(f"epoch {epoch} loss {loss.item():.3f}")
    return net, optimizer


def well():
    images, labels = data()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 60), nn.ReLU(), nn.Linear(60, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(15):
        for rows in torch.randperm(len(images)).split(50):
            optimizer.zero_grad()
            loss = criterion(net(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch} loss {loss.item():.3f}")
    return net, optimizer


if __name__ == "__main__":
    sick()
