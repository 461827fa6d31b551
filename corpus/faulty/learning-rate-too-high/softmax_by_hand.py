"""Wine by plain tensors, softmax, likelihood and updates by hand; each update is far too long."""

import torch
from sklearn.datasets import load_wine

FAULTS = {"learning-rate-too-high": None}


def train(lr):
    torch.manual_seed(0)
    X, y = load_wine(return_X_y=True)
    X = torch.tensor(X).float()
    X = (X - X.mean(0)) / X.std(0)
    y = torch.tensor(y)
    w1 = (torch.randn(13, 32) / 13**0.5).requires_grad_(True)
    b1 = torch.zeros(32, requires_grad=True)
    w2 = (torch.randn(32, 3) / 32**0.5).requires_grad_(True)
    b2 = torch.zeros(3, requires_grad=True)
    for step in range(400):
        idx = torch.randint(0, len(X), (32,))
        xb, yb = X[idx], y[idx]
        hidden = (xb.mm(w1) + b1).clamp(min=0)
        scores = hidden.mm(w2) + b2
        logp = scores - scores.logsumexp(1, keepdim=True)
        loss = -logp[range(len(yb)), yb].mean()
        loss.backward()
        with torch.no_grad():
            for p in (w1, b1, w2, b2):
                p -= lr * p.grad
                p.grad.zero_()
        if step % 50 == 0:
            print(step, loss.item())
    return w1, b1, w2, b2


def sick():
    return train(4.0)


def well():
    return train(0.1)


if __name__ == "__main__":
    sick()
