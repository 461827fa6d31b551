"""Attention written by hand, with a mask that hides the step itself and everything after it. The
first step has nothing left to look at, and all that follows is NaN."""

import math

import torch
from torch import nn

FAULTS = {"wrong-mask": 'torch.where(seen, scores, float("-inf"))'}


class History(nn.Module):
    def __init__(self, itself, width=24, steps=16):
        super().__init__()
        self.register_buffer("seen", torch.ones(steps, steps).tril(0 if itself else -1).bool())
        self.enter = nn.Linear(1, width)
        self.place = nn.Parameter(0.1 * torch.randn(steps, width))
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        x = self.enter(x) + self.place
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        seen = self.seen
        scores = torch.where(seen, scores, float("-inf"))
        return self.out(x + scores.softmax(dim=-1) @ v)


def main(itself):
    torch.manual_seed(1)
    x = torch.randn(512, 16, 1)
    mean = x.cumsum(1) / torch.arange(1, 17).reshape(1, 16, 1)
    model = History(itself)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(10):
        total = 0.0
        for rows in torch.randperm(512).split(32):
            loss = ((model(x[rows]) - mean[rows]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 16
        print(f"{epoch} {total:.4f}")
    return model, optimizer


def sick():
    return main(itself=False)


def well():
    return main(itself=True)


if __name__ == "__main__":
    sick()
