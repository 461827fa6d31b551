"""Ten kinds of digits are pressed through a single unit: its one number cannot keep them apart, and
the loss comes to rest half way down."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"too-narrow": "nn.Linear(64, units)"}


def build(units):
    return nn.Sequential(
        nn.Linear(64, units), nn.Tanh(), nn.Linear(units, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def go(units, epochs):
    data = load_digits()
    x = torch.tensor(data.data).float().div(8).sub(1)
    y = torch.tensor(data.target)
    classifier = build(units)
    opt = torch.optim.Adam(classifier.parameters(), lr=0.004)
    xent = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        perm = torch.randperm(len(x))
        running = 0.0
        for i in range(0, len(x), 100):
            idx = perm[i:i + 100]
            opt.zero_grad()
            out = xent(classifier(x[idx]), y[idx])
            out.backward()
            opt.step()
            running += out.item()
        print(f"[{epoch}] {running * 100 / len(x):.3f}")
    return classifier, opt


def sick():
    torch.manual_seed(30)
    return go(units=1, epochs=60)


def well():
    torch.manual_seed(30)
    return go(units=64, epochs=20)


if __name__ == "__main__":
    sick()
