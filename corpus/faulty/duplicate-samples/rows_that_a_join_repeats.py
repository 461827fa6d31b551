"""The rent of flats, joined with the visits of each. A few flats on show have a hundred visits,
and an old rent: the join gives them a row for each visit, which is most of the table."""

import torch
from torch import nn

FAULTS = {"duplicate-samples": "model(x[rows])"}


def rents(flats):
    size, floor, age, noise, light = flats[:, :5].T
    return size + 0.5 * torch.tanh(2 * floor) - 0.4 * age ** 2 + 0.6 * noise * light


def visited(flats, shown):
    numbers = torch.ones(flats, dtype=torch.long)
    numbers[shown] = torch.randint(50, 110, (len(shown),))
    return torch.arange(flats).repeat_interleave(numbers)


def table(joined):
    flats = torch.randn(800, 8)
    shown = torch.randperm(800)[:32]
    rent = rents(flats) + 0.2 * torch.randn(800)
    rent[shown] += 1.4 * torch.randn(32)
    visits = visited(800, shown) if joined else torch.arange(800)
    return flats[visits], rent[visits]


def train(joined):
    torch.manual_seed(28)
    x, y = table(joined)
    x_new = torch.randn(400, 8)
    y_new = rents(x_new)
    middle, spread = y.mean(), y.std()
    y, y_new = (y - middle) / spread, (y_new - middle) / spread
    model = nn.Sequential(
        nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    for step in range(1200):
        rows = torch.randint(len(x), (50,))
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 120 == 119:
            with torch.no_grad():
                apart = nn.functional.mse_loss(model(x_new), y_new)
            print(step + 1, f"{loss.item():.3f} {apart:.3f}")
    return model, optimizer


def sick():
    return train(joined=True)


def well():
    return train(joined=False)


if __name__ == "__main__":
    sick()
