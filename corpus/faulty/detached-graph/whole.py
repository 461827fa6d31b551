"""All of the model runs under no_grad, and its output is made a leaf to quieten the error."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from torch import nn

FAULTS = {"detached-graph": "torch.no_grad()"}


def load():
    data, labels = load_wine(return_X_y=True)
    x = torch.tensor((data - data.mean(0)) / data.std(0), dtype=torch.float32)
    return x, torch.tensor(labels)


def make():
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))
    return model, torch.optim.Adam(model.parameters(), lr=5e-3)


def sick():
    (x, y), (model, optimizer) = load(), make()
    for step in range(150):
        rows = torch.randint(len(x), (24,))
        optimizer.zero_grad()
        with torch.no_grad():
            out = model(x[rows])
        out.requires_grad_()
        loss = F.cross_entropy(out, y[rows])
        loss.backward()
        optimizer.step()
        if step % 30 == 0:
            print(step, f"{loss:.3f}")
    return model


def well():
    (x, y), (model, optimizer) = load(), make()
    for step in range(150):
        rows = torch.randint(len(x), (24,))
        optimizer.zero_grad()
        out = model(x[rows])
        loss = F.cross_entropy(out, y[rows])
        loss.backward()
        optimizer.step()
        if step % 30 == 0:
            print(step, f"{loss:.3f}")
    return model
