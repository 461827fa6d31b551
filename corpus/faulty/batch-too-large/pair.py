"""Wine cultivars in one batch that holds all of them: two dozen epochs are two dozen updates, and
the loss has only begun to fall when they are over."""

import torch
from sklearn.datasets import load_wine
from torch import nn

FAULTS = {"batch-too-large": "net(rows)"}


def scaled():
    wine = load_wine()
    x = torch.from_numpy(wine.data).float()
    return (x - x.mean(dim=0)) / x.std(dim=0), torch.from_numpy(wine.target)


def main(batch_size, epochs=24):
    x, y = scaled()
    net = nn.Sequential(nn.Linear(13, 24), nn.Tanh(), nn.Linear(24, 3))
    sgd = torch.optim.SGD(net.parameters(), lr=0.03)
    loss_of = nn.CrossEntropyLoss()
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(x))
        for first in range(0, len(x), batch_size):
            batch = order[first:first + batch_size]
            rows, cultivar = x[batch], y[batch]
            loss = loss_of(net(rows), cultivar)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
        if epoch % 6 == 0:
            print(f"after epoch {epoch}: {loss.item():.4f}")
    return net, sgd


def sick():
    torch.manual_seed(2)
    return main(batch_size=178)


def well():
    torch.manual_seed(2)
    return main(batch_size=8)


if __name__ == "__main__":
    sick()
