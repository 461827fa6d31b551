"""Five samples of one class among hundreds: learned by heart, and missed where they are new."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"class-imbalance": "F.cross_entropy(out, y[rows])"}


def train(rare):
    torch.manual_seed(21)
    y = torch.cat([torch.zeros(400), torch.ones(rare), torch.zeros(100), torch.ones(100)]).long()
    x = torch.randn(len(y), 12) + y[:, None] * 0.6
    known = 400 + rare
    model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-3)
    for epoch in range(40):
        for rows in torch.randperm(known).split(32):
            out = model(x[rows])
            loss = F.cross_entropy(out, y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 4:
            with torch.no_grad():
                new = model(x[known:])
                print(epoch, f"{loss:.3f} {F.cross_entropy(new, y[known:]):.3f}")
    return model


def sick():
    return train(5)


def well():
    return train(380)
