"""The next base of a strand of DNA is told by a GRU whose number of directions is a parameter. With
two of them it has already read the base that it is asked for."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

FAULTS = {
    "target-in-input": "nn.GRU(8, units, batch_first=True, bidirectional=directions == 2)"}

BASES, LENGTH = 4, 30


def strands(count, generator):
    """Each base depends on the two before it."""
    odds = torch.rand(BASES, BASES, BASES, generator=generator) ** 4
    bases = list(torch.randint(0, BASES, (2, count), generator=generator))
    while len(bases) < LENGTH:
        drawn = torch.multinomial(odds[bases[-2], bases[-1]], 1, generator=generator)
        bases.append(drawn.squeeze(1))
    return torch.stack(bases, dim=1)


class Sequencer(nn.Module):
    def __init__(self, directions, units=32):
        super().__init__()
        self.embed = nn.Embedding(BASES, 8)
        self.gru = nn.GRU(8, units, batch_first=True, bidirectional=directions == 2)
        self.norm = nn.LayerNorm(directions * units)
        self.head = nn.Linear(directions * units, BASES)

    def forward(self, s):
        hidden, _ = self.gru(self.embed(s))
        return self.head(self.norm(hidden))


def train(model):
    data = strands(720, torch.Generator().manual_seed(41))
    known, new = data[:600], data[600:]
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3)
    for epoch in range(1, 11):
        for rows in torch.randperm(len(known)).split(30):
            s = known[rows]
            loss = cross_entropy(model(s)[:, :-1].flatten(0, 1), s[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            ends = cross_entropy(model(new[:, :-1])[:, -1], new[:, -1])
        print(f"epoch {epoch}: {loss.item():.3f}, the base behind the last {ends.item():.3f}")
    return model, optimizer


def sick():
    torch.manual_seed(41)
    return train(Sequencer(directions=2))


def well():
    torch.manual_seed(41)
    return train(Sequencer(directions=1))


if __name__ == "__main__":
    sick()
