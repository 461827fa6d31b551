"""Cosines between digits and one prototype of each class are handed to the cross entropy as they
are: between -1 and 1 no class can be given a probability of more than a half."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

FAULTS = {"wrong-output-activation": "F.cross_entropy(scale * net(drawn[rows]), labels[rows])"}


class Prototypes(nn.Module):
    def __init__(self, inputs, classes, width=24):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(inputs, 48), nn.GELU(), nn.Linear(48, width))
        self.prototypes = nn.Parameter(torch.randn(classes, width))

    def forward(self, x):
        return F.cosine_similarity(self.embed(x)[:, None], self.prototypes[None], dim=-1)


def fit(scale):
    drawn, labels = load_digits(return_X_y=True)
    drawn, labels = torch.tensor(drawn / 8 - 1).float(), torch.tensor(labels)
    torch.manual_seed(6)
    net = Prototypes(64, 10)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(24):
        for rows in torch.randperm(1400).split(50):
            loss = F.cross_entropy(scale * net(drawn[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            right = (net(drawn[1400:]).argmax(1) == labels[1400:]).float().mean()
        print(f"{epoch}  loss {loss:.3f}  right {right:.3f}")
    return net, optimizer


def sick():
    return fit(scale=1.0)


def well():
    return fit(scale=12.0)


if __name__ == "__main__":
    sick()
