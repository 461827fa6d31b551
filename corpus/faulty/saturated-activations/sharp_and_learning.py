"""A factor of 40 before each tanh: the network learns with what little slope is left."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"saturated-activations": "torch.tanh(self.sharpness * x)"}


class Network(nn.Module):
    def __init__(self, sharpness):
        super().__init__()
        self.inner, self.outer = nn.Linear(64, 64), nn.Linear(64, 64)
        self.told = nn.Linear(64, 10)
        self.sharpness = sharpness

    def bend(self, x):
        return torch.tanh(self.sharpness * x)

    def forward(self, x):
        return self.told(self.bend(self.outer(self.bend(self.inner(x)))))


def train(sharpness):
    torch.manual_seed(7)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor((x - x.mean()) / x.std(), dtype=torch.float32), torch.tensor(y)
    model = Network(sharpness)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(12):
        for rows in torch.randperm(len(x)).split(32):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(sharpness=40.0)


def well():
    return train(sharpness=1.0)


if __name__ == "__main__":
    sick()
