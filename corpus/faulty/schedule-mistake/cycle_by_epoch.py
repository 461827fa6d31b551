"""One cycle over all batches of the run, moved on once an epoch: the rate never leaves its start."""

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"schedule-mistake": "cycle.step()"}

EPOCHS = 10


def wines():
    x, y = load_wine(return_X_y=True)
    x = torch.tensor((x - x.mean(0)) / x.std(0)).float()
    return DataLoader(TensorDataset(x, torch.tensor(y)), batch_size=8, shuffle=True)


def build(batches):
    model = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return model, optimizer, OneCycleLR(
        optimizer, max_lr=0.02, epochs=EPOCHS, steps_per_epoch=batches, div_factor=100)


def sick():
    torch.manual_seed(2)
    batches = wines()
    model, optimizer, cycle = build(len(batches))
    for epoch in range(EPOCHS):
        for x, y in batches:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        cycle.step()
        print(epoch, f"{loss:.3f}")
    return model, optimizer


def well():
    torch.manual_seed(2)
    batches = wines()
    model, optimizer, cycle = build(len(batches))
    for epoch in range(EPOCHS):
        for x, y in batches:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
        print(epoch, f"{loss:.3f}")
    return model, optimizer


if __name__ == "__main__":
    sick()
