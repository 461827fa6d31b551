"""Weights of 16 bits and a small learning rate: most steps are lost, and the loss falls slowly."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"low-precision-update": "torch.optim.Adam(model.parameters(), lr=1e-4)"}


def train(dtype):
    torch.manual_seed(8)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor((x - x.mean()) / x.std(), dtype=torch.float32), torch.tensor(y)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(),
                          nn.Linear(64, 10)).to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    for epoch in range(30):
        for rows in torch.randperm(len(x)).split(32):
            loss = nn.functional.cross_entropy(model(x[rows].to(dtype)).float(), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(torch.bfloat16)


def well():
    return train(torch.float32)


if __name__ == "__main__":
    sick()
