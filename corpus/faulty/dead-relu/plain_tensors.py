"""Two matrices and two vectors instead of modules. The hidden biases start at -14, a value that
was meant for the output of a detector, and no hidden unit ever fires."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

FAULTS = {"dead-relu": None}


def load():
    X, y = load_digits(return_X_y=True)
    X = torch.tensor(X, dtype=torch.float32) / 16
    X = (X - X.mean()) / X.std()
    y = torch.tensor(y)
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
    X, y = X[order], y[order]
    return X[:1400], y[:1400], X[1400:], y[1400:]


def train(start):
    torch.manual_seed(3)
    X, y, Xv, yv = load()
    W1 = torch.randn(64, 100) * (2 / 64) ** 0.5
    b1 = torch.full((100,), start)
    W2 = torch.randn(100, 10) * 0.1
    b2 = torch.zeros(10)
    params = [W1, b1, W2, b2]
    for p in params:
        p.requires_grad_()

    def net(x):
        h = F.relu(x @ W1 + b1)
        return h @ W2 + b2

    for epoch in range(12):
        for rows in torch.randperm(len(X)).split(50):
            loss = F.cross_entropy(net(X[rows]), y[rows])
            for p in params:
                p.grad = None
            loss.backward()
            with torch.no_grad():
                for p in params:
                    p -= 0.1 * p.grad
        with torch.no_grad():
            acc = (net(Xv).argmax(1) == yv).float().mean()
        print(f"{epoch}: {loss:.3f} {acc:.3f}")
    return params


def sick():
    return train(-14.0)


def well():
    return train(0.0)


if __name__ == "__main__":
    sick()
