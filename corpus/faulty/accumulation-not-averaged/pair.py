"""Sixteen small batches make one step, but their losses are added up and not averaged: the
gradient is sixteen times the one that the learning rate was chosen for."""

import torch
from sklearn.datasets import load_digits
from sklearn.preprocessing import scale
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"accumulation-not-averaged": "loss.backward()"}

ACCUMULATE = 16


def prepare():
    digits = load_digits()
    x = torch.tensor(scale(digits.data).clip(-3, 3), dtype=torch.float32)
    y = torch.tensor(digits.target)
    order = torch.randperm(len(y))
    train, rest = order[:1536], order[1536:]
    loader = DataLoader(TensorDataset(x[train], y[train]), batch_size=4, shuffle=True)
    return loader, x[rest], y[rest]


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(64, 48)
        self.mix = nn.Linear(48, 48)
        self.classify = nn.Linear(48, 10)

    def forward(self, x):
        x = nn.functional.relu(self.stem(x))
        x = x + nn.functional.relu(self.mix(x))
        return self.classify(x)


def score(model, x, y):
    with torch.inference_mode():
        return f"{(model(x).argmax(1) == y).double().mean():.3f}"


def sick():
    torch.manual_seed(50)
    loader, x_test, y_test = prepare()
    model = Mixer()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(7):
        for count, (x, y) in enumerate(loader, 1):
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            if count % ACCUMULATE == 0:
                optimizer.step()
                optimizer.zero_grad()
        print(f"epoch {epoch}: loss {loss.item():.4g} test accuracy", score(model, x_test, y_test))
    return model, optimizer


def well():
    torch.manual_seed(50)
    loader, x_test, y_test = prepare()
    model = Mixer()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(7):
        for count, (x, y) in enumerate(loader, 1):
            loss = nn.functional.cross_entropy(model(x), y)
            (loss / ACCUMULATE).backward()
            if count % ACCUMULATE == 0:
                optimizer.step()
                optimizer.zero_grad()
        print(f"epoch {epoch}: loss {loss.item():.4g} test accuracy", score(model, x_test, y_test))
    return model, optimizer


if __name__ == "__main__":
    sick()
