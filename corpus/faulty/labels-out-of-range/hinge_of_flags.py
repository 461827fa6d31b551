"""A linear machine for two kinds of wine, with the squared hinge loss by hand and labels of 0 and 1.
Samples of label 0 have the same loss whatever the machine says of them.
"""

import torch
from sklearn.datasets import load_wine
from torch import nn

FAULTS = {"labels-out-of-range": "side * score"}


def load(decode):
    measurements, kind = load_wine(return_X_y=True)
    measurements, kind = measurements[kind != 2], kind[kind != 2]
    x = torch.tensor(measurements, dtype=torch.float32)
    side = torch.tensor(kind, dtype=torch.float32)
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, side = (x[rows] - x.mean(0)) / x.std(0), side[rows]
    return x, 2 * side - 1 if decode else side


def fit(decode):
    torch.manual_seed(2)
    x, side_of = load(decode)
    machine = nn.Linear(13, 1)
    optimizer = torch.optim.SGD(machine.parameters(), lr=0.02, weight_decay=1e-3)
    for epoch in range(40):
        total = 0.0
        for rows in torch.randperm(100).split(20):
            score, side = machine(x[rows])[:, 0], side_of[rows]
            loss = nn.functional.relu(1 - side * score).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 5
        with torch.no_grad():
            right = (machine(x[100:])[:, 0] > 0) == (side_of[100:] > 0)
        print(f"{epoch:2d} hinge {total:.3f} right {right.float().mean():.2f}")
    return machine


def sick():
    return fit(decode=False)


def well():
    return fit(decode=True)


if __name__ == "__main__":
    sick()
