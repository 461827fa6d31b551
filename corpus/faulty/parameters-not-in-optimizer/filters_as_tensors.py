"""Filters and a matrix in plain tensors, used by F.conv2d and F.linear. The optimizer gets only the
bias."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

FAULTS = {"parameters-not-in-optimizer": "torch.optim.Adam(learned, lr=2e-3)"}


def train(all_of_them):
    torch.manual_seed(2)
    X, y = load_digits(return_X_y=True)
    X = torch.tensor(X, dtype=torch.float32).view(-1, 1, 8, 8) / 16 - 0.3
    y = torch.tensor(y)
    k1 = torch.empty(8, 1, 3, 3)
    k2 = torch.empty(16, 8, 3, 3)
    head = torch.empty(10, 16 * 16)
    for w in (k1, k2, head):
        torch.nn.init.kaiming_normal_(w)
        w.requires_grad = True
    bias = torch.zeros(10, requires_grad=True)

    def model(x):
        x = F.relu(F.conv2d(x, k1, padding=1))
        x = F.relu(F.conv2d(x, k2, padding=1, stride=2))
        return F.linear(x.flatten(1), head, bias)

    learned = [k1, k2, head, bias] if all_of_them else [bias]
    opt = torch.optim.Adam(learned, lr=2e-3)
    for epoch in range(6):
        for rows in torch.randperm(1500).split(32):
            loss = F.cross_entropy(model(X[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
        with torch.no_grad():
            val = F.cross_entropy(model(X[1500:]), y[1500:])
        print(epoch, loss.item(), val.item())
    return k1, k2, head, bias


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
