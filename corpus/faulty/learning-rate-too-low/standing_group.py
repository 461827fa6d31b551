"""Two parameter groups with rates of their own. That of the lower layers was copied from a recipe for
trained weights, with one zero too many; here they are random, and so they stay."""

from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

FAULTS = {"learning-rate-too-low": """torch.optim.AdamW([
        {"params": reader.lower.parameters(), "lr": settings.rate * settings.share},
        {"params": reader.head.parameters()},
    ], lr=settings.rate)"""}


@dataclass
class Settings:
    rate: float = 0.003
    share: float = 1e-5
    batch: int = 48
    epochs: int = 14


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.lower = nn.Sequential(nn.Linear(64, 20), nn.Tanh(), nn.Linear(20, 8), nn.Tanh())
        self.head = nn.Linear(8, 10)

    def forward(self, images):
        return self.head(self.lower(images))


def train(settings):
    torch.manual_seed(8)
    pixels, digits = load_digits(return_X_y=True)
    images = (torch.tensor(pixels, dtype=torch.float32) - 5) / 6
    labels = torch.tensor(digits)
    reader = Reader()
    optimizer = torch.optim.AdamW([
        {"params": reader.lower.parameters(), "lr": settings.rate * settings.share},
        {"params": reader.head.parameters()},
    ], lr=settings.rate)
    for epoch in range(settings.epochs):
        reader.train()
        for rows in torch.randperm(1400).split(settings.batch):
            optimizer.zero_grad()
            loss = functional.cross_entropy(reader(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
        reader.eval()
        with torch.no_grad():
            accuracy = (reader(images[1400:]).argmax(1) == labels[1400:]).float().mean()
        print(f"{epoch}: {loss.item():.3f}, {accuracy:.3f}")
    return reader, optimizer


def sick():
    return train(Settings())


def well():
    return train(Settings(share=1.0))


if __name__ == "__main__":
    sick()
