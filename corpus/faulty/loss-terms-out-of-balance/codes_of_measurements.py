"""Codes for the measurements of tumours. The error is a mean over columns, the divergence a sum
over the code, and is at its goal after a few steps."""

import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer

FAULTS = {"loss-terms-out-of-balance": "error + divergence"}


class Coder(nn.Module):
    def __init__(self, columns, size=12):
        super().__init__()
        self.inside = nn.Sequential(nn.Linear(columns, 80), nn.Tanh(), nn.Linear(80, 2 * size))
        self.outside = nn.Sequential(nn.Linear(size, 80), nn.Tanh(), nn.Linear(80, columns))

    def forward(self, rows):
        centre, spread = self.inside(rows).chunk(2, dim=1)
        code = torch.distributions.Normal(centre, torch.exp(spread)).rsample()
        return self.outside(code), centre, spread


def objective(rebuilt, rows, centre, spread, by_row):
    error = (rebuilt - rows) ** 2
    error = error.sum(1).mean() if by_row else error.mean()
    divergence = (0.5 * (centre ** 2 + torch.exp(2 * spread) - 1) - spread).sum(1).mean()
    return error + divergence


def fit(by_row):
    torch.manual_seed(2)
    rows = torch.tensor(load_breast_cancer().data, dtype=torch.float32)
    rows = (rows - rows.mean(0)) / rows.std(0)
    coder = Coder(rows.shape[1])
    optimizer = torch.optim.Adam(coder.parameters(), lr=3e-3)
    for epoch in range(70):
        for chosen in torch.randperm(len(rows)).split(48):
            rebuilt, centre, spread = coder(rows[chosen])
            loss = objective(rebuilt, rows[chosen], centre, spread, by_row)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: {loss.item():.3f}")
    return coder, optimizer


def sick():
    return fit(by_row=False)


def well():
    return fit(by_row=True)


if __name__ == "__main__":
    sick()
