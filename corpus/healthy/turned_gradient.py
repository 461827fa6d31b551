"""Digits of two scanners, of which one is dimmer: what tells the scanners apart is unlearned by a
gradient that is turned round on its way back, while a small network tries to tell them apart."""

import torch
from sklearn.datasets import load_digits
from torch import nn


class Turn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, strength):
        ctx.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.strength * gradient, None


class Scanners(nn.Module):
    def __init__(self):
        super().__init__()
        self.look = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU())
        self.digit = nn.Linear(48, 10)
        self.which = nn.Sequential(nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 2))

    def forward(self, x, strength):
        seen = self.look(x)
        return self.digit(seen), self.which(Turn.apply(seen, strength))


def main():
    torch.manual_seed(21)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    own, dim = x[:900], 0.7 * x[900:] + 0.2 + 0.05 * torch.randn(len(x) - 900, 64)
    model = Scanners()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    which = torch.cat([torch.zeros(60), torch.ones(60)]).long()
    for epoch in range(40):
        strength = 0.1 * epoch / 40
        for rows in torch.randperm(900).split(60):
            others = dim[torch.randint(0, 700, (60,))]
            digit, first = model(own[rows], strength)
            _, second = model(others, strength)
            digits = nn.functional.cross_entropy(digit, y[rows])
            scanners = nn.functional.cross_entropy(torch.cat([first, second]), which)
            optimizer.zero_grad()
            (digits + scanners).backward()
            optimizer.step()
        if epoch % 5 == 4:
            with torch.no_grad():
                right = (model(dim[700:], 0.0)[0].argmax(1) == y[1600:]).float().mean()
            print(epoch, f"{digits.item():.3f} {scanners.item():.3f} {right:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
