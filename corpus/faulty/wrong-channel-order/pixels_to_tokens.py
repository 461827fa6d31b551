"""The places of a feature map become tokens that are weighed by attention. A view gives the map the
shape (places, channels), and leaves the numbers as channels, places: each token holds the values of
one channel at many places."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"wrong-channel-order": "features.view(len(x), -1, self.width)"}


class Finder(nn.Module):
    """Reads the kind of the one lit place among many distracting ones."""

    def __init__(self, permuted, width=24):
        super().__init__()
        self.permuted, self.width = permuted, width
        self.mix = nn.Conv2d(2, width, 1)
        self.key = nn.Linear(width, 32)
        self.weigh = nn.Linear(32, 1)
        self.head = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 4))

    def forward(self, x):
        features = F.relu(self.mix(x))
        if self.permuted:
            tokens = features.permute(0, 2, 3, 1).flatten(1, 2)
        else:
            tokens = features.view(len(x), -1, self.width)
        seen = F.relu(self.key(tokens))
        return self.head((self.weigh(seen).softmax(1) * seen).sum(1))


def scenes(n):
    torch.manual_seed(3)
    lamp = 0.3 * torch.randn(n, 7, 7)
    kind = torch.randint(0, 4, (n, 7, 7))
    row, column, every = torch.randint(0, 7, (n,)), torch.randint(0, 7, (n,)), torch.arange(n)
    lamp[every, row, column] += 3.0
    return torch.stack([lamp, kind.float() / 1.5 - 1.0], 1), kind[every, row, column]


def train(permuted):
    x, y = scenes(900)
    net = Finder(permuted)
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(9):
        for rows in torch.randperm(600).split(50):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            out = net(x[600:])
            right = (out.argmax(1) == y[600:]).float().mean().item()
            print(f"{epoch} {loss.item():.3f} {F.cross_entropy(out, y[600:]).item():.3f} {right:.2f}")
    return net, optimizer


def sick():
    return train(permuted=False)


def well():
    return train(permuted=True)


if __name__ == "__main__":
    sick()
