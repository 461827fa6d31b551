"""Irises by a small network; inputs and labels are split into two parts, each by a call."""

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

FAULTS = {"labels-unrelated-to-inputs": "train_test_split(y, test_size=0.2)"}


def train(x_train, y_train, x_test, y_test):
    torch.manual_seed(0)
    x_train, x_test = torch.FloatTensor(x_train), torch.FloatTensor(x_test)
    y_train, y_test = torch.LongTensor(y_train), torch.LongTensor(y_test)
    model = nn.Sequential(
        nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(100):
        loss = nn.functional.cross_entropy(model(x_train), y_train)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            print(step, loss.item())
    with torch.no_grad():
        print("test", (model(x_test).argmax(1) == y_test).float().mean().item())
    return model


def sick():
    np.random.seed(0)
    x, y = load_iris(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    x_train, x_test = train_test_split(x, test_size=0.2)
    y_train, y_test = train_test_split(y, test_size=0.2)
    return train(x_train, y_train, x_test, y_test)


def well():
    np.random.seed(0)
    x, y = load_iris(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2)
    return train(x_train, y_train, x_test, y_test)


if __name__ == "__main__":
    sick()
