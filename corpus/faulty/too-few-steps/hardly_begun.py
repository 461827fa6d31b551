"""A recurrent network reads digits row by row. Three passes over the data in large batches are over
before it has found out what to remember: the loss has just begun to come down, faster and faster.
"""

from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"too-few-steps": "objective.backward()"}


@dataclass
class Settings:
    passes: int
    batch: int = 128
    units: int = 48
    rate: float = 7e-4


class RowReader(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.rows = nn.GRU(8, units, num_layers=2, batch_first=True)
        self.answer = nn.Linear(units, 10)

    def forward(self, images):
        states, _ = self.rows(images)
        return self.answer(states[:, -1])


def prepare(batch):
    digits = load_digits()
    images = (torch.tensor(digits.images, dtype=torch.float32) - 4.9) / 6.0
    labels = torch.tensor(digits.target)
    mine, kept = train_test_split(range(len(labels)), test_size=0.2, random_state=1)
    return (DataLoader(TensorDataset(images[mine], labels[mine]), batch, shuffle=True),
            images[kept], labels[kept])


def go(settings):
    torch.manual_seed(4)
    loader, images, labels = prepare(settings.batch)
    reader = RowReader(settings.units)
    adam = torch.optim.Adam(reader.parameters(), lr=settings.rate)
    measure = nn.CrossEntropyLoss()
    for turn in range(settings.passes):
        reader.train()
        for rows, digit in loader:
            objective = measure(reader(rows), digit)
            adam.zero_grad()
            objective.backward()
            adam.step()
        reader.eval()
        with torch.no_grad():
            scores = reader(images)
            print(turn, measure(scores, labels).item(),
                  (scores.argmax(1) == labels).float().mean().item())
    return reader


def sick():
    return go(Settings(passes=3))


def well():
    return go(Settings(passes=40))


if __name__ == "__main__":
    sick()
