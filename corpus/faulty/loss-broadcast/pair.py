"""A regression whose predictions have shape (N, 1) and whose targets have shape (N,): the
loss compares every prediction with every target, and the mean is the best answer."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_friedman1

FAULTS = {"loss-broadcast": "F.mse_loss(model(x), y)"}

BATCH = 50
EPOCHS = 20


def load_data():
    features, targets = make_friedman1(n_samples=1300, noise=0.5, random_state=0)
    x = torch.as_tensor(features, dtype=torch.float32)
    y = torch.as_tensor(targets, dtype=torch.float32)
    x = (x - x[:1000].mean(0)) / x[:1000].std(0)
    y = (y - y[:1000].mean()) / y[:1000].std()
    return x[:1000], y[:1000], x[1000:], y[1000:]


def build():
    model = nn.Sequential()
    model.add_module("hidden1", nn.Linear(10, 64))
    model.add_module("act1", nn.LeakyReLU(0.1))
    model.add_module("hidden2", nn.Linear(64, 32))
    model.add_module("act2", nn.LeakyReLU(0.1))
    model.add_module("output", nn.Linear(32, 1))
    return model


def r2(model, x, y):
    with torch.no_grad():
        error = (model(x).flatten() - y).pow(2).mean()
    return 1 - (error / y.var()).item()


def sick():
    torch.manual_seed(3)
    x_train, y_train, x_test, y_test = load_data()
    model = build()
    opt = torch.optim.Adam(model.parameters(), lr=0.005)
    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(x_train)).split(BATCH):
            x, y = x_train[rows], y_train[rows]
            loss = F.mse_loss(model(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        if epoch % 4 == 3:
            print(f"{epoch + 1:3d} mse {loss:.4f} R2 {r2(model, x_test, y_test):+.3f}")
    return model, opt


def well():
    torch.manual_seed(3)
    x_train, y_train, x_test, y_test = load_data()
    model = build()
    opt = torch.optim.Adam(model.parameters(), lr=0.005)
    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(x_train)).split(BATCH):
            x, y = x_train[rows], y_train[rows]
            loss = F.mse_loss(model(x).squeeze(1), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        if epoch % 4 == 3:
            print(f"{epoch + 1:3d} mse {loss:.4f} R2 {r2(model, x_test, y_test):+.3f}")
    return model, opt


if __name__ == "__main__":
    sick()
