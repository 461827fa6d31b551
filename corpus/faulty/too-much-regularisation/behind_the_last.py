"""Digits by two layers; the dropout that stands behind each stands behind the last one too."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"too-much-regularisation": "x = self.drop(self.fc2(x))"}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 100)
        self.fc2 = nn.Linear(100, 10)
        self.drop = nn.Dropout(0.5)

    def features(self, x):
        return self.drop(F.relu(self.fc1(x)))


class Dropped(Net):
    def forward(self, x):
        x = self.features(x)
        x = self.drop(self.fc2(x))
        return x


class Whole(Net):
    def forward(self, x):
        return self.fc2(self.features(x))


def train(kind):
    torch.manual_seed(0)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16.0, dtype=torch.float32), torch.tensor(y)
    net = kind()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for epoch in range(30):
        net.train()
        for rows in torch.randperm(1400).split(32):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            out = net(x[1400:])
            held_out = F.cross_entropy(out, y[1400:])
            print(epoch, loss.item(), held_out.item(), (out.argmax(1) == y[1400:]).float().mean())
    return net


def sick():
    return train(Dropped)


def well():
    return train(Whole)


if __name__ == "__main__":
    sick()
