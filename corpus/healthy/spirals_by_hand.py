"""Three spirals, a network of one hidden layer in six tensors: forward, softmax, likelihood and updates by hand."""
import math

import torch


def spirals(n, classes):
    points, labels = [], []
    for k in range(classes):
        r = torch.linspace(0.05, 1, n)
        t = torch.linspace(k * 2 * math.pi / classes, k * 2 * math.pi / classes + 4, n) + 0.15 * torch.randn(n)
        points.append(torch.stack([r * torch.sin(t), r * torch.cos(t)], 1))
        labels.append(torch.full((n,), k))
    return torch.cat(points), torch.cat(labels)


def main():
    torch.manual_seed(4)
    x, y = spirals(200, 3)
    held = torch.randperm(len(x))
    xt, yt, xv, yv = x[held[:480]], y[held[:480]], x[held[480:]], y[held[480:]]
    W1 = (torch.randn(2, 80) * 0.7).requires_grad_()
    b1 = torch.zeros(80, requires_grad=True)
    W2 = (torch.randn(80, 80) * (2 / 80) ** 0.5).requires_grad_()
    b2 = torch.zeros(80, requires_grad=True)
    W3 = (torch.randn(80, 3) * 0.1).requires_grad_()
    b3 = torch.zeros(3, requires_grad=True)
    weights = [W1, b1, W2, b2, W3, b3]

    def logits(x):
        h = torch.relu(x @ W1 + b1)
        h = torch.relu(h @ W2 + b2)
        return h @ W3 + b3

    def nll(z, y):
        e = torch.exp(z - z.max(1, keepdim=True).values)
        p = e / e.sum(1, keepdim=True)
        return -p[torch.arange(len(y)), y].log().mean()

    for epoch in range(40):
        for rows in torch.randperm(len(xt)).split(32):
            loss = nll(logits(xt[rows]), yt[rows])
            loss.backward()
            with torch.no_grad():
                for w in weights:
                    w -= 0.2 * w.grad
                    w.grad.zero_()
        if epoch % 5 == 4:
            with torch.no_grad():
                z = logits(xv)
                print(epoch, f"{loss.item():.3f} {nll(z, yv).item():.3f} {(z.argmax(1) == yv).float().mean().item():.3f}")
    return weights


if __name__ == "__main__":
    main()
