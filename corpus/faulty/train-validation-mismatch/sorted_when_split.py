"""Flowers sorted by kind, and split where the list is two thirds through: the last kind is never
trained on."""

import torch
from sklearn.datasets import load_iris
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"train-validation-mismatch": "TensorDataset(x[known:], y[known:])"}


def flowers():
    x, y = load_iris(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    return torch.tensor(x).float(), torch.tensor(y)


def learn(x, y, known=100):
    train = DataLoader(TensorDataset(x[:known], y[:known]), batch_size=10, shuffle=True)
    unseen = DataLoader(TensorDataset(x[known:], y[known:]), batch_size=50)
    net = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    for epoch in range(30):
        net.train()
        for batch, kinds in train:
            loss = nn.functional.cross_entropy(net(batch), kinds)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            for batch, kinds in unseen:
                scores = net(batch)
                missed = nn.functional.cross_entropy(scores, kinds)
                right = (scores.argmax(1) == kinds).float().mean()
        print(f"{epoch}  {loss:.3f}  {missed:.3f}  {right:.2f}")
    return net, optimizer


def sick():
    torch.manual_seed(4)
    return learn(*flowers())


def well():
    torch.manual_seed(4)
    x, y = flowers()
    order = torch.randperm(len(x))
    return learn(x[order], y[order])


if __name__ == "__main__":
    sick()
