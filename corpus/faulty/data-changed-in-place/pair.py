"""Spectra are standardised when they are fetched, in place: a fetched row is a view of the data set's own tensor."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"data-changed-in-place": "row -= self.mean"}


class Spectra(Dataset):
    def __init__(self, rows, kinds, copies):
        self.rows, self.kinds, self.copies = rows, kinds, copies
        self.mean, self.std = rows.mean(0), rows.std(0)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        row = self.rows[i].clone() if self.copies else self.rows[i]
        row -= self.mean
        row /= self.std
        return row, self.kinds[i]


def main(copies):
    torch.manual_seed(23)
    kinds = torch.arange(480) % 4
    rows = 2.5 + 0.3 * torch.randn(480, 14)
    rows[torch.arange(480), 3 * kinds] += 0.7
    loader = DataLoader(Spectra(rows, kinds, copies), batch_size=24, shuffle=True)
    model = nn.Sequential(nn.Linear(14, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(9):
        total = 0.0
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(epoch, total / len(loader))
    return model, optimizer


def sick():
    return main(copies=False)


def well():
    return main(copies=True)


if __name__ == "__main__":
    sick()
