"""Wine by plain tensors; the gradients are never cleared after the updates by hand."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine

FAULTS = {"gradients-not-zeroed": None}


def train(clear):
    torch.manual_seed(0)
    x, y = load_wine(return_X_y=True)
    x = torch.tensor(x).float()
    x = (x - x.mean(0)) / x.std(0)
    y = torch.tensor(y)
    w1 = (torch.randn(13, 32) / 13**0.5).requires_grad_()
    b1 = torch.zeros(32, requires_grad=True)
    w2 = (torch.randn(32, 3) / 32**0.5).requires_grad_()
    b2 = torch.zeros(3, requires_grad=True)
    for step in range(400):
        rows = torch.randint(0, len(x), (32,))
        hidden = torch.relu(x[rows] @ w1 + b1)
        loss = F.cross_entropy(hidden @ w2 + b2, y[rows])
        loss.backward()
        with torch.no_grad():
            for p in (w1, b1, w2, b2):
                p -= 0.1 * p.grad
                if clear:
                    p.grad.zero_()
        if step % 50 == 0:
            print(step, loss.item())
    return w1, b1, w2, b2


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
