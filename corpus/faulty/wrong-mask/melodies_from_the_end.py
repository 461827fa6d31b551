"""Melodies that repeat what they began with, continued by attention that is written out."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"wrong-mask": "scores.masked_fill(self.hidden(steps), -1e9)"}


class Looking(nn.Module):
    def __init__(self, width, turned):
        super().__init__()
        self.asks, self.answers, self.holds = (nn.Linear(width, width) for _ in range(3))
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.after = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.turned = turned

    def hidden(self, steps):
        allowed = torch.ones(steps, steps, dtype=torch.bool).tril()
        return allowed if self.turned else ~allowed

    def forward(self, notes):
        steps = notes.shape[1]
        seen = self.first(notes)
        scores = self.asks(seen) @ self.answers(seen).mT / seen.shape[-1] ** 0.5
        scores = scores.masked_fill(self.hidden(steps), -1e9)
        notes = notes + scores.softmax(-1) @ self.holds(seen)
        return notes + self.after(self.second(notes))


class Melodies(nn.Module):
    def __init__(self, turned, pitches=10, width=32):
        super().__init__()
        self.pitch, self.place = nn.Embedding(pitches, width), nn.Embedding(15, width)
        self.looks = nn.Sequential(Looking(width, turned), Looking(width, turned))
        self.tells = nn.Linear(width, pitches)

    def forward(self, notes):
        return self.tells(self.looks(self.pitch(notes) + self.place.weight[:notes.shape[1]]))


def train(turned):
    torch.manual_seed(6)
    begun = torch.randint(0, 10, (600, 4))
    melodies = begun.repeat(1, 4)
    model = Melodies(turned)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for epoch in range(12):
        for rows in torch.randperm(600).split(50):
            scores = model(melodies[rows, :-1])
            loss = F.cross_entropy(scores.flatten(0, 1), melodies[rows, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.4f}")
    return model


def sick():
    return train(True)


def well():
    return train(False)


if __name__ == "__main__":
    sick()
