"""Attention keeps its heads in the first axis and joins them without bringing them back."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"batch-leak": "seen.reshape(n, length, -1)"}


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.enter = nn.Linear(width, 3 * width)
        self.leave = nn.Linear(width, width)

    def attend(self, x):
        """(heads, samples, places, width of a head)"""
        n, length, _ = x.shape
        split = self.enter(x).view(n, length, 3, self.heads, -1).permute(2, 3, 0, 1, 4)
        query, key, value = split
        return F.scaled_dot_product_attention(query, key, value)


class Joined(Attention):
    def forward(self, x):
        n, length, _ = x.shape
        seen = self.attend(x).permute(1, 2, 0, 3)
        return self.leave(seen.reshape(n, length, -1))


class Scattered(Attention):
    def forward(self, x):
        n, length, _ = x.shape
        seen = self.attend(x)
        return self.leave(seen.reshape(n, length, -1))


class Finder(nn.Module):
    """The number behind the place that is asked for."""

    def __init__(self, attention):
        super().__init__()
        self.digits, self.places = nn.Embedding(8, 32), nn.Embedding(6, 32)
        self.attention = attention(32, 4)
        self.head = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8))

    def forward(self, x):
        h = self.digits(x) + self.places(torch.arange(6))
        return self.head(h + self.attention(h))


def train(attention):
    torch.manual_seed(5)
    model = Finder(attention)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for step in range(240):
        x = torch.randint(8, (40, 6))
        loss = F.cross_entropy(model(x).flatten(0, 1), x.roll(1, 1).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            print(f"{loss:.3f}")
    return model


def sick():
    return train(Scattered)


def well():
    return train(Joined)
