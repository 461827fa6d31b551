"""Targets in their hundreds, and a validation that leaves dropout and batch statistics on."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

FAULTS = {"targets-not-normalised": None, "validation-in-train-mode": None}


def load():
    bunch = load_diabetes(scaled=False)
    x = torch.tensor(bunch.data, dtype=torch.float32)
    x = (x - x.mean(0)) / x.std(0)
    return TensorDataset(x, torch.tensor(bunch.target, dtype=torch.float32).unsqueeze(1))


def network():
    return nn.Sequential(
        nn.Linear(10, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(64, 1),
    )


def train_epoch(model, loader, optimizer):
    model.train()
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def validate(model, loader):
    total = 0.0
    with torch.no_grad():
        for x, y in loader:
            total += nn.functional.mse_loss(model(x), y).item() * len(x)
    return total / len(loader.dataset)


def main():
    torch.manual_seed(13)
    train_set, val_set = random_split(load(), [342, 100])
    train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=50)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(25):
        loss = train_epoch(model, train_loader, optimizer)
        print(f"epoch {epoch}: train {loss:.0f} validation {validate(model, val_loader):.0f}")
    return model


if __name__ == "__main__":
    main()
