"""The function that trains on one batch also builds the optimizer, so Adam never knows more than one
gradient."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"optimizer-made-anew": "torch.optim.Adam(model.parameters(), lr=0.01)"}


def train_batch(model, criterion, x, y):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item(), optimizer


def train_batch_with(optimizer, model, criterion, x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item(), optimizer


def train(once):
    torch.manual_seed(19)
    images, labels = (torch.tensor(part) for part in load_digits(return_X_y=True))
    order = torch.randperm(len(labels))
    x, y = images[order].float() / 8 - 0.6, labels[order]
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(),
                          nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 10))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01) if once else None
    for epoch in range(8):
        for rows in torch.randperm(1400).split(20):
            if once:
                loss, _ = train_batch_with(optimizer, model, criterion, x[rows], y[rows])
            else:
                loss, optimizer = train_batch(model, criterion, x[rows], y[rows])
        with torch.no_grad():
            right = (model(x[1400:]).argmax(1) == y[1400:]).float().mean()
        print(f"epoch {epoch}: loss {loss:.3f}, test accuracy {right.item():.3f}")
    return model, optimizer


def sick():
    return train(once=False)


def well():
    return train(once=True)


if __name__ == "__main__":
    sick()
