"""The timber in a tree from its girth, height, crown and bark. A second forest was measured in feet
by those who keep it, and the network knows metres."""

import torch
from torch import nn

FAULTS = {"train-validation-mismatch": "(x_val - middle) / spread"}

FOOT = 0.3048


def forest(trees, generator):
    """Lengths in metres, and the logarithm of the timber in cubic metres."""
    girth = 0.6 + 1.2 * torch.rand(trees, generator=generator)
    height = 12 * girth ** 0.6 * torch.exp(0.15 * torch.randn(trees, generator=generator))
    crown = 2 + 2.5 * girth + 0.5 * torch.randn(trees, generator=generator)
    bark = 0.01 + 0.02 * torch.rand(trees, generator=generator)
    timber = 0.04 * (girth - 6 * bark) ** 2 * height * (1 + 0.1 * torch.tanh(crown - 5))
    return torch.stack([girth, height, crown, bark], 1), timber.log()


def kept_in_feet(trees, generator):
    lengths, timber = forest(trees, generator)
    return lengths / FOOT, timber


def scores(model, x, y):
    with torch.no_grad():
        e = model(x).squeeze(1) - y
        mse = (e * e).mean()
        r2 = 1 - mse / y.var(unbiased=False)
    return mse.item(), r2.item()


def grow(converted):
    torch.manual_seed(30)
    generator = torch.Generator().manual_seed(30)
    x, y = forest(800, generator)
    x_val, y_val = kept_in_feet(250, generator)
    if converted:
        x_val = x_val * FOOT
    middle, spread = x.mean(0), x.std(0)
    x, x_val = (x - middle) / spread, (x_val - middle) / spread
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(20):
        for rows in torch.randperm(len(x)).split(32):
            e = model(x[rows]).squeeze(1) - y[rows]
            loss = (e * e).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        mse, r2 = scores(model, x_val, y_val)
        print(f"{epoch:2d} training {loss.item():.4f} validation {mse:.4f} R2 {r2:.3f}")
    return model, optimizer


def sick():
    return grow(converted=False)


def well():
    return grow(converted=True)


if __name__ == "__main__":
    sick()
