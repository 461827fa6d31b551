"""Diabetes by two matrices; predictions of shape (N, 1) meet targets of shape (N,) in a mean of
squares that is written out."""

import torch
from sklearn.datasets import load_diabetes

FAULTS = {"loss-broadcast": "prediction - y[rows]"}


def train(flat):
    torch.manual_seed(6)
    x, y = load_diabetes(return_X_y=True)
    x = torch.tensor(x, dtype=torch.float32)
    x = (x - x.mean(0)) / x.std(0)
    y = torch.tensor(y, dtype=torch.float32)
    y = (y - y.mean()) / y.std()
    weights = [torch.randn(10, 24) * 0.4, torch.zeros(24), torch.randn(24, 1) * 0.2, torch.zeros(1)]
    for w in weights:
        w.requires_grad_()
    w1, b1, w2, b2 = weights
    for epoch in range(30):
        for rows in torch.randperm(len(x)).split(32):
            prediction = torch.tanh(x[rows] @ w1 + b1) @ w2 + b2
            if flat:
                prediction = prediction[:, 0]
            loss = ((prediction - y[rows]) ** 2).mean()
            loss.backward()
            for w in weights:
                w.data -= 0.05 * w.grad
                w.grad.zero_()
        print(epoch, loss.item())
    return weights


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
