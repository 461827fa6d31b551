"""The held-out losses are collected for a plot as tensors, and each of them keeps its whole
graph with every activation alive: memory grows with every entry."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"retained-graph": "criterion(model(x_val), y_val)"}

BATCH, STEPS = 48, 240


def load():
    x, y = load_digits(return_X_y=True)
    x = torch.tensor(x, dtype=torch.float32).sub_(4.88).div_(6.02)
    y = torch.tensor(y)
    shuffle = torch.randperm(len(x))
    return x[shuffle].split([1300, 497]), y[shuffle].split([1300, 497])


def make_model():
    return nn.Sequential(
        nn.Linear(64, 192),
        nn.Softplus(),
        nn.Linear(192, 192),
        nn.Softplus(),
        nn.Linear(192, 10),
    )


def sick():
    torch.manual_seed(36)
    (x_train, x_val), (y_train, y_val) = load()
    model = make_model()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    history = []
    for step in range(STEPS):
        picked = torch.randint(len(x_train), (BATCH,))
        loss = criterion(model(x_train[picked]), y_train[picked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 3 == 2:
            history.append(criterion(model(x_val), y_val))
        if step % 48 == 47:
            print(f"step {step + 1}: {loss.item():.4f}, held out {history[-1]:.4f}")
    return model, optimizer


def well():
    torch.manual_seed(36)
    (x_train, x_val), (y_train, y_val) = load()
    model = make_model()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    history = []
    for step in range(STEPS):
        picked = torch.randint(len(x_train), (BATCH,))
        loss = criterion(model(x_train[picked]), y_train[picked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 3 == 2:
            history.append(criterion(model(x_val), y_val).item())
        if step % 48 == 47:
            print(f"step {step + 1}: {loss.item():.4f}, held out {history[-1]:.4f}")
    return model, optimizer


if __name__ == "__main__":
    sick()
