"""The next character from the last four: a table of vectors, a tanh layer with a hand-made batch normalisation, and updates through .data."""
import torch
import torch.nn.functional as F
from sklearn import datasets


def text():
    whole = "".join(loader().DESCR for loader in (datasets.load_digits, datasets.load_wine, datasets.load_iris, datasets.load_breast_cancer, datasets.load_diabetes))
    return " ".join("".join(c for c in whole.lower() if c.isalpha() or c in " .,\n").split())


def main():
    g = torch.Generator().manual_seed(2147483647)
    written = text()
    chars = sorted(set(written))
    codes = torch.tensor([chars.index(c) for c in written])
    X = codes.unfold(0, 5, 1)[:, :4]
    Y = codes[4:]
    order = torch.randperm(len(X), generator=g)
    X, Y = X[order], Y[order]
    n = int(0.85 * len(X))
    Xtr, Ytr, Xdev, Ydev = X[:n], Y[:n], X[n:], Y[n:]

    V = len(chars)
    C = torch.randn((V, 12), generator=g)
    W1 = torch.randn((48, 120), generator=g) * (5 / 3) / 48**0.5
    gain = torch.ones((1, 120))
    shift = torch.zeros((1, 120))
    W2 = torch.randn((120, V), generator=g) * 0.01
    b2 = torch.zeros(V)
    parameters = [C, W1, gain, shift, W2, b2]
    for p in parameters:
        p.requires_grad = True

    mean_running, std_running = torch.zeros((1, 120)), torch.ones((1, 120))
    for i in range(2400):
        ix = torch.randint(0, n, (64,), generator=g)
        emb = C[Xtr[ix]]
        pre = emb.view(64, -1) @ W1
        mean, std = pre.mean(0, keepdim=True), pre.std(0, keepdim=True)
        h = torch.tanh(gain * (pre - mean) / std + shift)
        with torch.no_grad():
            mean_running = 0.99 * mean_running + 0.01 * mean
            std_running = 0.99 * std_running + 0.01 * std
        loss = F.cross_entropy(h @ W2 + b2, Ytr[ix])
        for p in parameters:
            p.grad = None
        loss.backward()
        lr = 0.2 if i < 1600 else 0.02
        for p in parameters:
            p.data += -lr * p.grad
        if i % 300 == 299:
            with torch.no_grad():
                h = torch.tanh(gain * (C[Xdev].view(len(Xdev), -1) @ W1 - mean_running) / std_running + shift)
                print(i + 1, f"{loss.item():.3f} {F.cross_entropy(h @ W2 + b2, Ydev).item():.3f}")
    return parameters


if __name__ == "__main__":
    main()
