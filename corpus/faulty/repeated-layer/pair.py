"""A residual network is built by multiplying a list: its eight blocks are one and the same block."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"repeated-layer": "[Block(width)] * depth"}


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return x + torch.relu(self.linear(self.norm(x)))


def build(width, depth, alike):
    blocks = nn.Sequential(*[Block(width)] * depth) if alike else nn.Sequential(
        *[Block(width) for _ in range(depth)])
    return nn.Sequential(nn.Linear(64, width), blocks, nn.LayerNorm(width), nn.Linear(width, 10))


def train(model, epochs=8):
    x, y = (torch.tensor(part) for part in load_digits(return_X_y=True))
    order = torch.randperm(len(y))
    x, y = x[order].float() / 8 - 0.61, y[order]
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(epochs):
        for batch in torch.randperm(1400).split(50):
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            right = (model(x[1400:]).argmax(1) == y[1400:]).float().mean()
        print(f"epoch {epoch}: loss {loss.item():.3f}, test accuracy {right.item():.3f}")
    return model, optimizer


def sick():
    torch.manual_seed(3)
    return train(build(width=16, depth=8, alike=True))


def well():
    torch.manual_seed(3)
    return train(build(width=16, depth=8, alike=False))


if __name__ == "__main__":
    sick()
