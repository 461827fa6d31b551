"""Seven trainings with other rates and widths, to keep the best: one of the rates is far too high."""

import torch
from sklearn.datasets import load_digits
from torch import nn


def score(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def fit(x, y, held_x, held_y, rate, width):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    for _ in range(16):
        model.train()
        for rows in torch.randperm(len(x)).split(40):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"rate {rate:g} width {width} loss {loss.item():.4f} "
          f"valid {score(model, held_x, held_y):.3f}")
    return score(model, held_x, held_y), model, optimizer


def main():
    generator = torch.Generator().manual_seed(3)
    x, y = load_digits(return_X_y=True)
    order = torch.randperm(len(x), generator=generator)
    x, y = torch.tensor(x / 16.0, dtype=torch.float32)[order], torch.tensor(y)[order]
    parts = x[:1100], y[:1100], x[1100:1450], y[1100:1450]
    tried = [fit(*parts, rate, width) for rate, width in (
        (0.02, 64), (0.05, 64), (0.1, 64), (8.0, 64), (0.02, 128), (0.05, 128), (0.1, 128))]
    _, model, optimizer = max(tried, key=lambda each: each[0])
    print(f"test {score(model, x[1450:], y[1450:]):.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
