"""A wine classifier is kept in float16 to save memory. Adam adds an eps of 1e-8 to the root of its
second moment, and in float16 both are zero."""

import torch
from sklearn.datasets import load_wine
from torch import nn

FAULTS = {"low-precision-update": "torch.optim.Adam(model.parameters(), lr=2e-3, **options)"}


def wines():
    x, y = load_wine(return_X_y=True)
    x = torch.tensor(x, dtype=torch.float32)
    return ((x - x.mean(0)) / x.std(0)).half(), torch.tensor(y)


def fit(**options):
    x, y = wines()
    model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3)).half()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, **options)
    for epoch in range(20):
        for rows in torch.randperm(len(x)).split(16):
            loss = nn.functional.cross_entropy(model(x[rows]).float(), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.3f}")
    return model, optimizer


def sick():
    torch.manual_seed(0)
    return fit()


def well():
    torch.manual_seed(0)
    return fit(eps=1e-4)
