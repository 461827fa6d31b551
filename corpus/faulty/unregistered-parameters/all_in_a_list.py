"""All layers of a network stand in a plain list, so its optimizer gets no parameters at all."""

import torch
from sklearn.datasets import load_iris
from torch import nn

FAULTS = {"unregistered-parameters": "layers"}


def build_layers(sizes):
    return [nn.Linear(before, after) for before, after in zip(sizes[:-1], sizes[1:], strict=True)]


class Stack(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        return self.layers[-1](x)


def train(registered):
    torch.manual_seed(6)
    table, kinds = load_iris(return_X_y=True)
    table, kinds = torch.tensor(table).float(), torch.tensor(kinds)
    table = (table - table.mean(0)) / table.std(0)
    layers = build_layers([4, 24, 24, 3])
    network = Stack(nn.ModuleList(layers) if registered else layers)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for epoch in range(60):
        loss = nn.functional.cross_entropy(network(table), kinds)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.3f}")
    return network


def sick():
    return train(registered=False)


def well():
    return train(registered=True)


if __name__ == "__main__":
    sick()
