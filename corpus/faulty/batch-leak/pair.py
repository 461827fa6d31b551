"""A recurrent network wants time first, so a `view` turns (batch, time) into (time, batch)
without moving a number: every sequence is pasted together from other samples."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"batch-leak": "pictures.view(8, -1, 8)"}


class RowReader(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(input_size=8, hidden_size=32)
        self.norm = nn.LayerNorm(32)
        self.out = nn.Linear(32, 10)

    def rows_first(self, pictures):
        return pictures.transpose(0, 1)

    def forward(self, pictures):
        states, last = self.gru(self.rows_first(pictures))
        return self.out(self.norm(last.squeeze(0)))


class ViewReader(RowReader):
    def rows_first(self, pictures):
        return pictures.view(8, -1, 8)


def batches(pictures, digits, size):
    order = torch.randperm(len(pictures))
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        yield pictures[rows], digits[rows]


def fit(reader, epochs=9):
    source = load_digits()
    digits = torch.tensor(source.target)
    pictures = torch.tensor((source.images - 4.88) / 6.02, dtype=torch.float32)
    train_part, test_part = slice(0, 1437), slice(1437, None)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(reader.parameters(), lr=5e-3)
    for epoch in range(1, epochs + 1):
        total = 0.0
        for x, y in batches(pictures[train_part], digits[train_part], 36):
            optimizer.zero_grad()
            loss = criterion(reader(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x) / 1437
        with torch.no_grad():
            guesses = reader(pictures[test_part]).argmax(dim=1)
        correct = guesses.eq(digits[test_part]).float().mean()
        print(f"epoch {epoch}  loss {total:.3f}  test accuracy {correct:.3f}")
    return reader, optimizer


def sick():
    torch.manual_seed(27)
    return fit(ViewReader())


def well():
    torch.manual_seed(27)
    return fit(RowReader())


if __name__ == "__main__":
    sick()
