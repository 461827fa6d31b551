"""A cubic through a sine: four numbers are learned, and no module holds them."""

import math

import torch
from torch.nn import functional


def main():
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 500)
    y = torch.sin(math.pi * x)
    a, b, c, d = (torch.randn((), requires_grad=True) for _ in range(4))
    optimizer = torch.optim.SGD([a, b, c, d], lr=0.3)
    for step in range(1500):
        loss = functional.mse_loss(a + b * x + c * x**2 + d * x**3, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(step, loss.item())
    return [a, b, c, d]


if __name__ == "__main__":
    main()
