"""The next character from the last four: a table of vectors and a tanh layer in plain tensors. The
hidden weights are drawn without their scale, and every tanh is at its ends from the first step on."""

import torch
import torch.nn.functional as F
from sklearn import datasets

FAULTS = {"bad-initialisation": "torch.randn((48, 120), generator=g) * scale"}


def text():
    loaders = (datasets.load_digits, datasets.load_wine, datasets.load_iris,
               datasets.load_breast_cancer, datasets.load_diabetes)
    whole = "".join(loader().DESCR for loader in loaders).lower()
    return " ".join("".join(c for c in whole if c.isalpha() or c in " .,\n").split())


def train(scale):
    g = torch.Generator().manual_seed(2147483647)
    written = text()
    chars = sorted(set(written))
    codes = torch.tensor([chars.index(c) for c in written])
    X, Y = codes.unfold(0, 5, 1)[:, :4], codes[4:]
    V = len(chars)
    C = torch.randn((V, 12), generator=g)
    W1 = torch.randn((48, 120), generator=g) * scale
    b1 = torch.randn(120, generator=g) * 0.01
    W2 = torch.randn((120, V), generator=g) * 0.01
    b2 = torch.zeros(V)
    parameters = [C, W1, b1, W2, b2]
    for p in parameters:
        p.requires_grad = True

    for i in range(1200):
        ix = torch.randint(0, len(X), (64,), generator=g)
        emb = C[X[ix]]
        h = torch.tanh(emb.view(64, -1) @ W1 + b1)
        loss = F.cross_entropy(h @ W2 + b2, Y[ix])
        for p in parameters:
            p.grad = None
        loss.backward()
        rate = 0.2 if i < 800 else 0.01
        for p in parameters:
            p.data += -rate * p.grad
        if i % 100 == 0:
            print(i, loss.item())
    return parameters


def sick():
    return train(30.0)


def well():
    return train((5 / 3) / 48**0.5)


if __name__ == "__main__":
    sick()
