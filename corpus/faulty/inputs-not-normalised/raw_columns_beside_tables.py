"""Prices of flats from columns in their own units, beside tables of vectors for district and
heating: the year and the area drown the vectors."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"inputs-not-normalised": None}


class Price(nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.district = nn.Embedding(12, 5)
        self.heating = nn.Embedding(4, 3)
        self.body = nn.Sequential(
            nn.Linear(columns + 8, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))

    def forward(self, columns, kinds):
        tables = [self.district(kinds[:, 0]), self.heating(kinds[:, 1])]
        return self.body(torch.cat([columns, *tables], 1)).squeeze(1)


def market(n, rng):
    area, rooms = rng.gamma(8, 9000, n), rng.integers(1, 7, n)
    year, distance = rng.integers(1880, 2020, n), rng.gamma(2, 1500, n)
    kinds = np.stack([rng.integers(0, 12, n), rng.integers(0, 4, n)], 1)
    worth = (1.1 * (area - 72000) / 25000 + 0.4 * np.sin(kinds[:, 0]) * (rooms > 3)
             - 0.5 * (distance - 3000) / 2100 + 0.4 * ((year - 1950) / 40) ** 2
             + 0.3 * (kinds[:, 1] == 2))
    columns = np.stack([area, rooms, year, distance], 1).astype(np.float32)
    return columns, kinds, worth + rng.normal(0, 0.15, n)


def train(normalised):
    torch.manual_seed(4)
    rng = np.random.default_rng(4)
    columns, kinds, worth = market(3000, rng)
    if normalised:
        columns = (columns - columns[:2400].mean(0)) / columns[:2400].std(0)
    worth = (worth - worth[:2400].mean()) / worth[:2400].std()
    parts = (torch.from_numpy(columns), torch.from_numpy(kinds),
             torch.tensor(worth, dtype=torch.float32))
    net = Price(columns.shape[1])
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    loader = DataLoader(TensorDataset(*(part[:2400] for part in parts)), 60, shuffle=True)
    for epoch in range(12):
        net.train()
        for numbers, of, wanted in loader:
            loss = nn.functional.mse_loss(net(numbers, of), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            told = net(parts[0][2400:], parts[1][2400:])
            held = nn.functional.mse_loss(told, parts[2][2400:])
        print(epoch + 1, f"{held.item():.4f}")
    return net, optimizer


def sick():
    return train(normalised=False)


def well():
    return train(normalised=True)


if __name__ == "__main__":
    sick()
