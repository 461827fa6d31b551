"""Softmax regression without any optimizer: the gradients of four small batches add up on purpose before
the weights are moved by hand and the gradients are dropped."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits


def main():
    torch.manual_seed(0)
    pixels, digits = load_digits(return_X_y=True)
    pixels = torch.tensor(pixels, dtype=torch.float32) / 16.0
    pixels, digits = pixels - pixels.mean(0), torch.tensor(digits)
    weights = torch.zeros(64, 10, requires_grad=True)
    shift = torch.zeros(10, requires_grad=True)
    for epoch in range(30):
        parts = torch.randperm(1400).split(14)
        total = 0.0
        for first in range(0, len(parts), 4):
            group = parts[first:first + 4]
            count = sum(len(part) for part in group)
            for part in group:
                scores = pixels[part] @ weights + shift
                loss = F.cross_entropy(scores, digits[part], reduction="sum") / count
                loss.backward()
                total += loss.item() * count
            with torch.no_grad():
                for tensor in (weights, shift):
                    tensor -= 0.5 * tensor.grad
                    tensor.grad = None
        with torch.no_grad():
            right = (pixels[1400:] @ weights + shift).argmax(1) == digits[1400:]
        print(epoch, f"{total / 1400:.4f}", f"{right.float().mean():.3f}")
    return weights, shift


if __name__ == "__main__":
    main()
