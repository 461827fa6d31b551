"""Eight sigmoid layers as a list of matrices, with gradients from torch.autograd.grad."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

FAULTS = {"vanishing-gradients": None}


def train(act):
    torch.manual_seed(2)
    X, y = load_digits(return_X_y=True)
    X = torch.tensor(X, dtype=torch.float32) / 16
    X = (X - X.mean()) / X.std()
    y = torch.tensor(y)
    sizes = [64] + [48] * 8 + [10]
    weights, biases = [], []
    for i, o in zip(sizes[:-1], sizes[1:]):
        weights.append((torch.randn(i, o) * (2 / i) ** 0.5).requires_grad_())
        biases.append(torch.zeros(o, requires_grad=True))

    def model(x):
        for w, b in zip(weights[:-1], biases[:-1]):
            x = act(torch.addmm(b, x, w))
        return torch.addmm(biases[-1], x, weights[-1])

    for epoch in range(10):
        for rows in torch.randperm(len(X)).split(32):
            loss = F.cross_entropy(model(X[rows]), y[rows])
            grads = torch.autograd.grad(loss, weights + biases)
            with torch.no_grad():
                for p, g in zip(weights + biases, grads):
                    p -= 0.05 * g
        print(epoch, loss.item())
    return weights, biases


def sick():
    return train(torch.sigmoid)


def well():
    return train(torch.relu)


if __name__ == "__main__":
    sick()
