"""Two rings: the activations are there, but what they make is not kept."""

import torch
import torch.nn.functional as F
from sklearn.datasets import make_circles
from torch import nn

FAULTS = {"missing-nonlinearity": "F.silu(h)"}


def rings():
    x, y = make_circles(600, noise=0.05, factor=0.4, random_state=0)
    return torch.tensor(x).float(), torch.tensor(y)


class Thrown(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 24), nn.Linear(24, 2)

    def forward(self, x):
        h = self.first(x)
        F.silu(h)
        return self.last(h)


class Kept(Thrown):
    def forward(self, x):
        return self.last(F.silu(self.first(x)))


def fit(model):
    x, y = rings()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        for rows in torch.randperm(500).split(50):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        print(f"accuracy {(model(x[500:]).argmax(1) == y[500:]).float().mean():.2f}")
    return model, optimizer


def sick():
    torch.manual_seed(1)
    return fit(Thrown())


def well():
    torch.manual_seed(1)
    return fit(Kept())


if __name__ == "__main__":
    sick()
