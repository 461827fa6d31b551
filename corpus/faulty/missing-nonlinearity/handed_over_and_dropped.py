"""The activation is handed to the network as a function, and its result is not kept."""

import torch
from sklearn.datasets import make_moons
from torch import nn

FAULTS = {"missing-nonlinearity": "self.activation(h)"}


class Stack(nn.Module):
    def __init__(self, sizes, activation=torch.tanh):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False))
        self.activation = activation

    def forward(self, x):
        *hidden, last = self.layers
        for layer in hidden:
            h = layer(x)
            self.activation(h)
            x = h
        return last(x)


class Kept(Stack):
    def forward(self, x):
        *hidden, last = self.layers
        for layer in hidden:
            x = torch.tanh(layer(x))
        return last(x)


def fit(kind):
    torch.manual_seed(5)
    x, y = map(torch.tensor, make_moons(600, noise=0.1, random_state=5))
    x, y = x.float(), y.float()
    net = kind([2, 32, 32, 1])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(15):
        for rows in torch.randperm(len(x)).split(40):
            loss = nn.functional.binary_cross_entropy_with_logits(net(x[rows]).squeeze(1), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.3f}")
    return net


def sick():
    return fit(Stack)


def well():
    return fit(Kept)


if __name__ == "__main__":
    sick()
