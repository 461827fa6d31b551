"""A cubic through a sine: four numbers are learned, each from plain tensors and by hand."""

import math

import torch


def main():
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 500)
    y = torch.sin(math.pi * x)
    a = torch.randn((), requires_grad=True)
    b = torch.randn((), requires_grad=True)
    c = torch.randn((), requires_grad=True)
    d = torch.randn((), requires_grad=True)
    rate = 0.3
    for step in range(1500):
        prediction = a + b * x + c * x**2 + d * x**3
        loss = (prediction - y).pow(2).mean()
        if step % 100 == 0:
            print(step, loss.item())
        loss.backward()
        with torch.no_grad():
            for number in (a, b, c, d):
                number -= rate * number.grad
                number.grad = None
    return [a, b, c, d]


if __name__ == "__main__":
    main()
