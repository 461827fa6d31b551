"""Gradients are accumulated over 32 batches, an epoch has 18, and each counts from the start."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"step-never-called": "optimizer.step()"}


def loader():
    x, y = load_digits(return_X_y=True)
    data = TensorDataset(torch.tensor(x / 16).float()[:1440], torch.tensor(y)[:1440])
    return DataLoader(data, batch_size=80, shuffle=True)


def fit(together, epochs=12):
    torch.manual_seed(6)
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    batches = loader()
    for epoch in range(epochs):
        optimizer.zero_grad()
        for i, (images, labels) in enumerate(batches):
            loss = nn.functional.cross_entropy(model(images), labels)
            (loss / together).backward()
            if (i + 1) % together == 0:
                optimizer.step()
                optimizer.zero_grad()
        print(epoch, f"{loss.item():.3f}")
    return model, optimizer


def sick():
    return fit(together=32)


def well():
    return fit(together=2)


if __name__ == "__main__":
    sick()
