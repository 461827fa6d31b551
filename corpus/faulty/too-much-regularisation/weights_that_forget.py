"""An autoencoder of digits with a weight decay that AdamW takes off at each step: of an update,
hardly anything is left after a hundred more.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {
    "too-much-regularisation":
        "torch.optim.AdamW(coder.parameters(), lr=2e-3, weight_decay=decay)"}


def train(decay):
    torch.manual_seed(4)
    x = torch.tensor(load_digits().data).float()
    x = (x - x.mean(0)) / x.std(0).clamp(min=1)
    x = x[torch.randperm(len(x))]
    coder = nn.Sequential(nn.Linear(64, 96), nn.ELU(), nn.Linear(96, 24), nn.Linear(24, 96),
                          nn.ELU(), nn.Linear(96, 64))
    optimizer = torch.optim.AdamW(coder.parameters(), lr=2e-3, weight_decay=decay)
    for epoch in range(30):
        for rows in torch.randperm(1400).split(50):
            loss = nn.functional.mse_loss(coder(x[rows]), x[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            held_out = nn.functional.mse_loss(coder(x[1400:]), x[1400:])
        print(f"{epoch} loss {loss.item():.3f} held out {held_out:.3f}")
    return coder


def sick():
    return train(decay=8.0)


def well():
    return train(decay=0.01)


if __name__ == "__main__":
    sick()
