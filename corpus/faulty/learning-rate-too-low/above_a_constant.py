"""Digits through a bottleneck; after hundreds of steps the loss is still worse than the mean's."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {
    "learning-rate-too-low":
        'torch.optim.AdamW(model.parameters(), lr=settings["rate"], weight_decay=0.0)',
}

TINY = {"rate": 1e-5, "epochs": 40}
USUAL = {"rate": 1e-3, "epochs": 40}


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 96), nn.LeakyReLU(0.1), nn.Linear(96, 12))
        self.decoder = nn.Sequential(nn.Linear(12, 96), nn.LeakyReLU(0.1), nn.Linear(96, 64))

    def forward(self, x):
        return self.decoder(self.encoder(x))


def train(settings):
    torch.manual_seed(123)
    x = torch.tensor(load_digits().data, dtype=torch.float32) / 8.0 - 1.0
    model = AutoEncoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["rate"], weight_decay=0.0)
    for epoch in range(settings["epochs"]):
        for rows in torch.randperm(1400).split(64):
            loss = nn.functional.mse_loss(model(x[rows]), x[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(epoch, loss.item(), nn.functional.mse_loss(model(x[1400:]), x[1400:]).item())
    return model


def sick():
    return train(TINY)


def well():
    return train(USUAL)


if __name__ == "__main__":
    sick()
