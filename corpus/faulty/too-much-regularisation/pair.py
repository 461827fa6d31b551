"""Handwritten digits behind dropouts that hide nine of ten units: with so little left to
compute with, neither the training nor the test digits are read."""

import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.nn.functional import cross_entropy, relu

FAULTS = {"too-much-regularisation": "nn.Dropout(p=drop)"}


class Reader(nn.Module):
    def __init__(self, drop: float) -> None:
        super().__init__()
        self.first = nn.Linear(64, 96)
        self.second = nn.Linear(96, 96)
        self.hide = nn.Dropout(p=drop)
        self.digit = nn.Linear(96, 10)

    def forward(self, image):
        hidden = self.hide(relu(self.first(image)))
        return self.digit(self.hide(relu(self.second(hidden))))


def train(drop, epochs=20):
    digits = load_digits()
    images = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    split = 1400
    reader = Reader(drop)
    optimizer = optim.Adam(reader.parameters(), lr=2e-3)
    for epoch in range(epochs):
        reader.train()
        for rows in torch.randperm(split).split(50):
            optimizer.zero_grad()
            loss = cross_entropy(reader(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
        reader.eval()
        with torch.no_grad():
            test = cross_entropy(reader(images[split:]), labels[split:])
        print(f"epoch {epoch}: {loss.item():.3f} / {test.item():.3f}")
    return reader, optimizer


def sick():
    torch.manual_seed(21)
    return train(drop=0.9)


def well():
    torch.manual_seed(21)
    return train(drop=0.2)


if __name__ == "__main__":
    sick()
