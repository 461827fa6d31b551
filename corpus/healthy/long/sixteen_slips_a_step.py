"""Digits, read eight at a time. The gradients of sixteen such slips add up, each loss divided by
sixteen, and only then do the parameters move: by Lion, written out here in a few lines."""

import torch
from sklearn.datasets import load_digits
from torch import nn

SLIPS, SLIP = 16, 8


class Lion:
    """The sign of a blend of gradient and memory is all that moves a weight."""

    def __init__(self, parameters, rate, blend=0.9, keep=0.99, decay=0.1):
        self.parameters = list(parameters)
        self.memories = [torch.zeros_like(p) for p in self.parameters]
        self.rate, self.blend, self.keep, self.decay = rate, blend, keep, decay

    @torch.no_grad()
    def move(self):
        for weight, memory in zip(self.parameters, self.memories, strict=True):
            heading = torch.lerp(weight.grad, memory, self.blend).sign()
            weight.mul_(1 - self.rate * self.decay).sub_(heading, alpha=self.rate)
            memory.lerp_(weight.grad, 1 - self.keep)

    def forget(self):
        for weight in self.parameters:
            weight.grad = None


def slips(images, digits):
    """Shuffled slips without end."""
    while True:
        order = torch.randperm(len(images))
        for at in range(0, len(order) - SLIP + 1, SLIP):
            rows = order[at:at + SLIP]
            yield images[rows], digits[rows]


def main():
    torch.manual_seed(22)
    pages = load_digits()
    images = torch.as_tensor(pages.images, dtype=torch.float32)[:, None] / 8 - 0.6
    digits = torch.as_tensor(pages.target)
    shuffle = torch.randperm(len(digits))
    known, new = shuffle[:1440], shuffle[1440:]
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 24, 3, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Dropout(0.1), nn.Linear(24 * 9, 10))
    lion = Lion(net.parameters(), rate=1e-3)
    supply = slips(images[known], digits[known])
    lion.forget()
    for number in range(1, 240 * SLIPS + 1):
        some, wanted = next(supply)
        loss = nn.functional.cross_entropy(net(some), wanted)
        (loss / SLIPS).backward()
        if number % SLIPS == 0:
            lion.move()
            lion.forget()
        if number % (20 * SLIPS) == 0:
            net.eval()
            with torch.no_grad():
                scores = net(images[new])
                lost = nn.functional.cross_entropy(scores, digits[new])
                right = (scores.argmax(1) == digits[new]).float().mean()
            net.train()
            print(f"{number // SLIPS} steps: {loss:.3f}, new pages {lost:.3f}, {right:.1%} right")
    return net


if __name__ == "__main__":
    main()
