"""Ten steps of a long warm-up, from a last layer of zeros."""

import torch
from sklearn.datasets import load_wine
from torch import nn


def main():
    torch.manual_seed(6)
    x, y = load_wine(return_X_y=True)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    x = (x - x.mean(0)) / x.std(0)
    model = nn.Sequential(nn.Linear(13, 32), nn.GELU(), nn.Linear(32, 3))
    nn.init.zeros_(model[2].weight)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 1e-3, 1.0, 1000)
    for rows in torch.randperm(len(x)).split(17)[:10]:
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        warm_up.step()
    return model, optimizer
