"""Inside or outside of a ring, by plain tensors: gradients come from autograd.grad, and Adam is a closure."""

import torch
import torch.nn.functional as F


def layer(inside, outside):
    return [(torch.randn(inside, outside) * (2 / inside) ** 0.5).requires_grad_(),
            torch.zeros(outside, requires_grad=True)]


def adam(weights, rate):
    means = [torch.zeros_like(each) for each in weights]
    squares = [torch.zeros_like(each) for each in weights]
    count = 0

    def update(gradients):
        nonlocal count
        count += 1
        with torch.no_grad():
            for each, gradient, mean, square in zip(weights, gradients, means, squares, strict=True):
                mean.mul_(0.9).add_(gradient, alpha=0.1)
                square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
                unbiased = (square / (1 - 0.999**count)).sqrt() + 1e-8
                each -= rate * mean / (1 - 0.9**count) / unbiased

    return update


def main():
    torch.manual_seed(21)
    x = 2 * torch.randn(3000, 2)
    y = ((x.norm(dim=1) > 1.5) & (x.norm(dim=1) < 3)).float()
    xa, ya, xb, yb = x[:2400], y[:2400], x[2400:], y[2400:]
    weights = [*layer(2, 48), *layer(48, 48), *layer(48, 1)]

    def logit(x):
        x = torch.relu(torch.addmm(weights[1], x, weights[0]))
        x = torch.relu(torch.addmm(weights[3], x, weights[2]))
        return torch.addmm(weights[5], x, weights[4])[:, 0]

    step = adam(weights, 4e-3)
    for epoch in range(24):
        for rows in torch.randperm(len(xa)).split(60):
            loss = F.binary_cross_entropy_with_logits(logit(xa[rows]), ya[rows])
            step(torch.autograd.grad(loss, weights))
        with torch.no_grad():
            held = F.binary_cross_entropy_with_logits(logit(xb), yb)
        print(epoch, f"{loss:.3f} {held:.3f}")
    return weights


if __name__ == "__main__":
    main()
