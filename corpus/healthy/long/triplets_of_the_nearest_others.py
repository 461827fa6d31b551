"""Triplets whose negatives are the nearest samples of other classes, found before training."""

import torch
from sklearn.datasets import load_digits
from torch import nn


def main():
    torch.manual_seed(4)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16.0, dtype=torch.float32), torch.tensor(y)
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    held_x, held_y, x, y = x[1400:], y[1400:], x[:1400], y[:1400]
    distances = torch.cdist(x, x).masked_fill(y[:, None] == y, torch.inf)
    hard = distances.topk(3, largest=False).indices
    groups = [torch.nonzero(y == label).flatten() for label in range(10)]
    model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 24))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(20):
        total = 0.0
        for rows in torch.randperm(len(x)).split(50):
            same = torch.stack([groups[label][torch.randint(len(groups[label]), (1,))[0]]
                                for label in y[rows].tolist()])
            other = hard[rows, torch.randint(3, (len(rows),))]
            loss = nn.functional.triplet_margin_loss(
                model(x[rows]), model(x[same]), model(x[other]), margin=1.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 28
        if epoch % 5 == 4:
            print(epoch, f"{total:.4f}")
    with torch.no_grad():
        nearest = torch.cdist(model(held_x), model(x)).argmin(1)
    print(f"nearest neighbour {(y[nearest] == held_y).float().mean():.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
