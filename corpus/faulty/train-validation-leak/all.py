"""What is called validation is a part of the training data."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer
from torch import nn

FAULTS = {"train-validation-leak": "model(x_val)"}


def train(first):
    torch.manual_seed(31)
    data, labels = load_breast_cancer(return_X_y=True)
    data = (data - data.mean(0)) / data.std(0)
    x, y = torch.tensor(data, dtype=torch.float32), torch.tensor(labels)
    shuffle = torch.randperm(len(x))
    x, y = x[shuffle], y[shuffle]
    x_val, y_val = x[:120], y[:120]
    x_train, y_train = x[first:], y[first:]
    model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(16):
        for rows in torch.randperm(len(x_train)).split(32):
            loss = F.cross_entropy(model(x_train[rows]), y_train[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(epoch, f"{loss:.3f} {F.cross_entropy(model(x_val), y_val):.3f}")
    return model


def sick():
    return train(0)


def well():
    return train(120)
