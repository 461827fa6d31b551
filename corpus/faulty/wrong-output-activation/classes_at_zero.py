"""Digits by three layers; a loop puts the same ReLU behind each of them, the last one too."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"wrong-output-activation": "nn.ReLU()"}


class Net(nn.Module):
    def __init__(self, between):
        super().__init__()
        self.first = nn.Linear(64, 32)
        self.second = nn.Linear(32, 16)
        self.third = nn.Linear(16, 10)
        self.act = nn.ReLU()
        self.between = between

    def forward(self, x):
        for layer in (self.first, self.second):
            x = self.act(layer(x))
        x = self.third(x)
        return x if self.between else self.act(x)


def train(between):
    torch.manual_seed(5)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16.0, dtype=torch.float32), torch.tensor(y)
    net = Net(between)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(15):
        for rows in torch.randperm(1500).split(50):
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            right = (net(x[1500:]).argmax(1) == y[1500:]).float().mean()
        print(epoch, loss.item(), right.item())
    return net


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
