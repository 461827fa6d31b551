"""A small convolutional network in float16 under RMSprop, with its default eps of 1e-8."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"low-precision-update": "torch.optim.RMSprop(weights, lr=1e-3)"}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.out = nn.Linear(8 * 36, 10)

    def forward(self, pictures):
        return self.out(torch.relu(self.conv(pictures)).flatten(1))


def train(make):
    data = load_digits()
    pictures = torch.tensor(data.images, dtype=torch.float16).unsqueeze(1) / 16
    loader = DataLoader(TensorDataset(pictures, torch.tensor(data.target)), 60, shuffle=True)
    network = Net().to(torch.float16)
    optimizer = make(network.parameters())
    for _ in range(3):
        for batch, digits in loader:
            optimizer.zero_grad()
            error = nn.functional.cross_entropy(network(batch).float(), digits)
            error.backward()
            optimizer.step()
    return network, optimizer


def sick():
    torch.manual_seed(1)
    return train(lambda weights: torch.optim.RMSprop(weights, lr=1e-3))


def well():
    torch.manual_seed(1)
    return train(lambda weights: torch.optim.RMSprop(weights, lr=1e-3, eps=1e-3))
