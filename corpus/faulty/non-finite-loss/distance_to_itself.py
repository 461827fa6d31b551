"""The distance of a sample to itself is the square root of 0, whose slope is infinite. The vectors are
normalised as well, which divides by a norm."""

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.nn import functional as F

FAULTS = {"non-finite-loss": "squares.clamp(min=least).sqrt()"}


def distances(vectors, least):
    products = vectors @ vectors.t()
    lengths = products.diagonal()
    squares = lengths[:, None] - 2 * products + lengths[None, :]
    return squares.clamp(min=least).sqrt()


def pull_and_push(vectors, kinds, least):
    apart = distances(vectors, least)
    same = kinds[:, None] == kinds[None, :]
    near = (apart * same).sum() / same.sum()
    far = F.relu(1.2 - apart[~same]).mean()
    return near + far


def train(least):
    torch.manual_seed(9)
    table, kinds = load_wine(return_X_y=True)
    table, kinds = torch.tensor(table).float(), torch.tensor(kinds)
    table = (table - table.mean(0)) / table.std(0)
    net = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 6))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(40):
        for rows in torch.randperm(len(table)).split(44):
            vectors = F.normalize(net(table[rows]), dim=1)
            loss = pull_and_push(vectors, kinds[rows], least)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"loss {loss.item():.3f}")
    return net


def sick():
    return train(0)


def well():
    return train(1e-6)


if __name__ == "__main__":
    sick()
