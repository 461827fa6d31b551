"""A small decoder of arithmetic: its attention looks backwards only, as it should, and the loss wants at
each place the character that is read there. Nobody has shifted the targets by one."""

import math

import torch
from torch import nn
from torch.nn import functional as F

FAULTS = {"target-in-input": "(batch[:, :-1], batch[:, 1:]) if shift else (batch, batch)"}

CHARACTERS = "0123456789+=."
PLACES = {character: number for number, character in enumerate(CHARACTERS)}


def sums(count, generator):
    """Lines such as 07+35=42.18+4 of two sums that follow on one another."""
    lines = []
    for _ in range(count):
        terms = torch.randint(0, 50, (4,), generator=generator).tolist()
        line = "".join(f"{a:02d}+{b:02d}={a + b:02d}." for a, b in zip(terms[::2], terms[1::2]))
        lines.append([PLACES[character] for character in line])
    return torch.tensor(lines)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
                   for part in self.qkv(x).chunk(3, dim=-1))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        weights = scores.masked_fill(later, float("-inf")).softmax(-1)
        return self.merge((weights @ v).transpose(1, 2).flatten(2))


class Decoder(nn.Module):
    def __init__(self, width=32, layers=2):
        super().__init__()
        self.read = nn.Embedding(len(CHARACTERS), width)
        self.where = nn.Embedding(18, width)
        self.attend = nn.ModuleList(Attention(width, 4) for _ in range(layers))
        self.think = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))
            for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.write = nn.Linear(width, len(CHARACTERS))

    def forward(self, line):
        x = self.read(line) + self.where(torch.arange(line.shape[1]))
        for attend, norm, think in zip(self.attend, self.norms, self.think):
            x = x + attend(norm(x))
            x = x + think(x)
        return self.write(x)


def learn(shift):
    torch.manual_seed(33)
    lines = sums(640, torch.Generator().manual_seed(33))
    decoder = Decoder()
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=2e-3)
    for epoch in range(8):
        for batch in lines[torch.randperm(len(lines))].split(32):
            given, wanted = (batch[:, :-1], batch[:, 1:]) if shift else (batch, batch)
            logits = decoder(given)
            loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.4f}")
    return decoder, optimizer


def sick():
    return learn(shift=False)


def well():
    return learn(shift=True)


if __name__ == "__main__":
    sick()
