"""Wines told by codes: what the encoder makes of each is replaced by the nearest of a few codes."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from torch import nn

FAULTS = {"detached-graph": "self.codes(nearest)"}


class Coded(nn.Module):
    def __init__(self, passed):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 8))
        self.codes = nn.Embedding(12, 4)
        self.tells = nn.Linear(8, 3)
        self.passed = passed

    def forward(self, wines):
        parts = self.encoder(wines).reshape(-1, 2, 4)
        with torch.no_grad():
            nearest = torch.cdist(parts.flatten(0, 1), self.codes.weight).argmin(1).reshape(-1, 2)
        coded = self.codes(nearest)
        apart = F.mse_loss(coded, parts.detach()) + 0.25 * F.mse_loss(parts, coded.detach())
        if self.passed:
            coded = parts + (coded - parts).detach()
        return self.tells(coded.flatten(1)), apart


def train(passed):
    torch.manual_seed(12)
    wines = load_wine()
    given = torch.tensor(wines.data, dtype=torch.float32)
    given, kinds = (given - given.mean(0)) / given.std(0), torch.tensor(wines.target)
    model = Coded(passed)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(60):
        for rows in torch.randperm(len(kinds)).split(30):
            scores, apart = model(given[rows])
            loss = F.cross_entropy(scores, kinds[rows]) + apart
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 10 == 9:
            print(epoch, f"{loss:.3f} {(scores.argmax(1) == kinds[rows]).float().mean():.3f}")
    return model


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
