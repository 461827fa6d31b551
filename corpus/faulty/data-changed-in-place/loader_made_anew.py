"""Each sample loses its mean where it is stored; a loader is made for every epoch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"data-changed-in-place": "row -= 50"}


class Signals(Dataset):
    def __init__(self, count):
        self.kinds = torch.randint(3, (count,))
        time = torch.arange(40)
        shift = torch.rand(count, 1) * 6
        self.rows = 50 + 8 * torch.sin(time * (0.3 + 0.2 * self.kinds[:, None]) + shift)
        self.rows += torch.randn(count, 40)

    def __len__(self):
        return len(self.kinds)

    def prepared(self, index):
        row = self.rows[index]
        row -= 50
        row /= 8
        return row

    def __getitem__(self, index):
        return self.prepared(index), self.kinds[index]


class Copied(Signals):
    def prepared(self, index):
        return (self.rows[index] - 50) / 8


def train(kind):
    torch.manual_seed(9)
    signals = kind(480)
    model = nn.Sequential(nn.Linear(40, 48), nn.ReLU(), nn.Linear(48, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(14):
        for rows, kinds in DataLoader(signals, batch_size=24, shuffle=True):
            loss = nn.functional.cross_entropy(model(rows), kinds)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch} loss {loss.item():.3f}")
    return model


def sick():
    return train(Signals)


def well():
    return train(Copied)
