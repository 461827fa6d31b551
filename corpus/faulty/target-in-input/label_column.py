"""A table of measurements still holds the column of the diagnosis that is to be predicted."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

FAULTS = {"target-in-input": "model(x[rows])"}


def train(columns):
    torch.manual_seed(2)
    data = load_breast_cancer()
    values = torch.tensor(data.data, dtype=torch.float32)
    values = (values - values.mean(0)) / values.std(0)
    y = torch.tensor(data.target, dtype=torch.float32)
    table = torch.cat([values[:, :7], y[:, None]], 1)
    x = table[:, :columns]
    model = nn.Sequential(nn.Linear(columns, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(20):
        for rows in torch.randperm(len(x)).split(32):
            loss = criterion(model(x[rows]).squeeze(1), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())
    return model, optimizer


def sick():
    return train(columns=8)


def well():
    return train(columns=7)


if __name__ == "__main__":
    sick()
