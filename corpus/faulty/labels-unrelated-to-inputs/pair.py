"""The rows are shuffled before the split, the answers are not: every measurement gets the answer of
another patient."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

FAULTS = {"labels-unrelated-to-inputs": "net(X_train[rows])"}


def load(shuffle_both):
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X).astype(np.float32)
    y = y.astype(np.float32)
    order = np.random.RandomState(7).permutation(len(X))
    X = X[order]
    if shuffle_both:
        y = y[order]
    cut = 430
    return map(torch.from_numpy, (X[:cut], y[:cut], X[cut:], y[cut:]))


def run(shuffle_both):
    torch.manual_seed(0)
    X_train, y_train, X_test, y_test = load(shuffle_both)
    net = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))
    loss_function = nn.BCEWithLogitsLoss()
    optimizer = optim.Adam(net.parameters(), lr=0.003)
    for epoch in range(40 if not shuffle_both else 12):
        for rows in torch.randperm(len(X_train)).split(43):
            optimizer.zero_grad()
            loss = loss_function(net(X_train[rows]), y_train[rows])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            test_loss = loss_function(net(X_test), y_test)
        if epoch % 5 == 0:
            print("epoch %2d  train %.3f  test %.3f" % (epoch, loss.item(), test_loss.item()))
    return net, optimizer


def sick():
    return run(shuffle_both=False)


def well():
    return run(shuffle_both=True)


if __name__ == "__main__":
    sick()
