"""Scores of (samples, classes, rows, columns) are flattened to rows of classes without a permute."""

import torch
from torch import nn

FAULTS = {"wrong-channel-order": "scores.reshape(-1, 3)"}


def pictures(number, generator):
    """A square and a stripe on noise: what each pixel belongs to is the target."""
    x = 0.3 * torch.randn(number, 1, 16, 16, generator=generator)
    y = torch.zeros(number, 16, 16, dtype=torch.long)
    for place in range(number):
        i, j, k = torch.randint(0, 10, (3,), generator=generator).tolist()
        y[place, k:k + 3] = 2
        y[place, i:i + 6, j:j + 6] = 1
    return x + (y == 1)[:, None] - (y == 2)[:, None].float(), y


def train(permuted):
    torch.manual_seed(0)
    x, y = pictures(240, torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(),
                          nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 3, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(10):
        for rows in torch.randperm(len(x)).split(20):
            scores = model(x[rows])
            if permuted:
                scores = scores.permute(0, 2, 3, 1)
            loss = nn.functional.cross_entropy(scores.reshape(-1, 3), y[rows].reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(permuted=False)


def well():
    return train(permuted=True)


if __name__ == "__main__":
    sick()
