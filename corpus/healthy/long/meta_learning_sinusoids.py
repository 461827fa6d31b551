"""Model-agnostic meta-learning: each step adapts the weights to five points of a new sine wave by gradients that are
themselves differentiated, and the loss is what the adapted weights make of other points."""
import math

import torch
import torch.nn.functional as F


def init():
    sizes = [1, 40, 40, 1]
    params = []
    for a, b in zip(sizes, sizes[1:]):
        params += [torch.randn(b, a) * math.sqrt(1 / a), torch.zeros(b)]
    return [p.requires_grad_() for p in params]


def forward(params, x):
    for k in range(0, len(params), 2):
        x = F.linear(x, params[k], params[k + 1])
        if k < len(params) - 2:
            x = torch.tanh(x)
    return x


def wave():
    amplitude, phase = torch.rand(()) + 1, torch.rand(()) * math.pi
    def draw(n):
        x = torch.rand(n, 1) * 6 - 3
        return x, amplitude * torch.sin(x - phase)
    return draw


def adapt(params, x, y, steps=1, lr=0.02, create_graph=True):
    for _ in range(steps):
        grads = torch.autograd.grad(F.mse_loss(forward(params, x), y), params, create_graph=create_graph)
        params = [p - lr * g for p, g in zip(params, grads)]
    return params


def main():
    torch.manual_seed(28)
    params = init()
    meta = torch.optim.Adam(params, lr=3e-3)
    for it in range(800):
        total = 0.0
        for _ in range(4):
            draw = wave()
            x, y = draw(10)
            total = total + F.mse_loss(forward(adapt(params, *draw(10)), x), y)
        total = total / 4
        meta.zero_grad()
        total.backward()
        meta.step()
        if it % 150 == 149:
            errors = []
            for _ in range(40):
                draw = wave()
                fast = adapt(params, *draw(10), steps=5, create_graph=False)
                x, y = draw(50)
                errors.append(F.mse_loss(forward(fast, x), y).item())
            print(it + 1, f"meta loss {total.item():.3f} after adaptation {sum(errors) / 40:.3f}")
    return params, meta
