"""Every weight starts at the same number. All units of a layer then compute the same and
get the same gradient, so a network of 80 units is as wise as a network of two."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn, optim
from torch.nn import functional

FAULTS = {"bad-initialisation": "nn.init.constant_(layer.weight, 0.02)"}


class Perceptron(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:]))

    def forward(self, x):
        *hidden, last = self.layers
        for layer in hidden:
            x = functional.relu(layer(x))
        return last(x)


def initialise_evenly(network):
    for layer in network.layers:
        nn.init.constant_(layer.weight, 0.02)
        nn.init.zeros_(layer.bias)


def initialise_randomly(network):
    for layer in network.layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)


def split():
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        (x / 16 - 0.3) / 0.37, y, train_size=1280, random_state=8
    )
    pictures = torch.Tensor(x_train), torch.Tensor(x_test)
    return *pictures, torch.LongTensor(y_train), torch.LongTensor(y_test)


def accuracy(network, x, y):
    with torch.no_grad():
        return (network(x).max(dim=1).indices == y).double().mean().item()


def optimise(network, epochs=10):
    x_train, x_test, y_train, y_test = split()
    sgd = optim.SGD(network.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    for epoch in range(epochs):
        order = torch.randperm(1280)
        for i in range(0, 1280, 40):
            rows = order[i : i + 40]
            loss = functional.cross_entropy(network(x_train[rows]), y_train[rows])
            network.zero_grad()
            loss.backward()
            sgd.step()
        print(f"{epoch}: {loss:.3f} {accuracy(network, x_test, y_test):.3f}")
    return network, sgd


def sick():
    torch.manual_seed(17)
    network = Perceptron([64, 48, 32, 10])
    initialise_evenly(network)
    return optimise(network)


def well():
    torch.manual_seed(17)
    network = Perceptron([64, 48, 32, 10])
    initialise_randomly(network)
    return optimise(network)


if __name__ == "__main__":
    sick()
