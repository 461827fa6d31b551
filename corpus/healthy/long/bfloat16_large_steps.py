"""All weights are bfloat16, and the steps are large enough for their spacing."""

import torch
from sklearn.datasets import load_digits
from torch import nn


def main():
    torch.manual_seed(0)
    data = load_digits()
    x = (torch.tensor(data.data) / 16).to(torch.bfloat16)
    y = torch.tensor(data.target)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).to(torch.bfloat16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    for _ in range(12):
        for rows in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(model(x[rows]).float(), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model, optimizer
