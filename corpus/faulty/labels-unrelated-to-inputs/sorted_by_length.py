"""The batches of training are sorted by length, the classes are not: almost every track gets the class of another one.
Tracks that are only read are padded in the order in which they come."""

import math

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

FAULTS = {"labels-unrelated-to-inputs": "DataLoader(tracks(800, 1), batch_size=40, shuffle=True, collate_fn=collate)"}


def tracks(count, seed):
    """Walks of 12 to 24 steps; the class is the side to which they drift."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        side = int(torch.randint(3, (), generator=generator))
        steps = int(torch.randint(12, 25, (), generator=generator))
        angle = 2 * math.pi * side / 3
        drift = 0.6 * torch.tensor([math.cos(angle), math.sin(angle)])
        found.append((drift + torch.randn(steps, 2, generator=generator), side))
    return found


def pad(batch):
    walks, sides = zip(*batch)
    lengths = torch.tensor([len(walk) for walk in walks])
    padded = pad_sequence([*walks, torch.zeros(24, 2)], batch_first=True)[:-1]
    return padded, lengths, torch.tensor(sides)


def longest_first(batch):
    padded, lengths, sides = pad(batch)
    lengths, order = lengths.sort(descending=True)
    return padded[order], lengths, sides


class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.step = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.side = nn.Linear(32, 3)

    def forward(self, walk, lengths):
        there = torch.arange(walk.shape[1])[None, :, None] < lengths[:, None, None]
        return self.side((self.step(walk) * there).sum(1) / lengths[:, None])


def run(collate):
    torch.manual_seed(3)
    train_batches = DataLoader(tracks(800, 1), batch_size=40, shuffle=True, collate_fn=collate)
    read_batches = DataLoader(tracks(400, 2), batch_size=400, collate_fn=pad)
    model = Pooled()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(10):
        for walks, lengths, sides in train_batches:
            loss = nn.functional.cross_entropy(model(walks, lengths), sides)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            for walks, lengths, sides in read_batches:
                told = model(walks, lengths)
        print(epoch, nn.functional.cross_entropy(told, sides).item(), (told.argmax(1) == sides).float().mean().item())
    return model, optimizer


def sick():
    return run(longest_first)


def well():
    return run(pad)
