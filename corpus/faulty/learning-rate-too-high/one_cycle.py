"""Digits under a one-cycle schedule: its peak, and not what the optimizer is given, is too high."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

FAULTS = {"learning-rate-too-high": "OneCycleLR(optimizer, max_lr=peak, total_steps=15 * 28)"}


def train(peak):
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images / 16, dtype=torch.float32)
    labels = torch.tensor(labels)
    model = nn.Sequential(
        nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    schedule = OneCycleLR(optimizer, max_lr=peak, total_steps=15 * 28)
    for epoch in range(15):
        for rows in torch.randperm(len(images))[:1792].split(64):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch}: loss {loss.item():.3f}")
    return model


def sick():
    return train(8.0)


def well():
    return train(0.2)


if __name__ == "__main__":
    sick()
