"""Signals of different duration, time first, go through a recurrent network whose final state
is classified. Nobody packed them, so the state has run on over the zeros behind each signal."""

import torch
from torch import nn
from torch.nn.utils import rnn

FAULTS = {"reads-padding": "self.memory(signals)"}


def record(n):
    made, kinds = [], torch.randint(0, 3, (n,))
    for kind in kinds.tolist():
        time = torch.arange(int(torch.randint(10, 60, ())))
        wave = torch.sin((0.4, 0.8, 1.6)[kind] * time + 6 * torch.rand(()))
        made.append(torch.stack([wave, wave.abs()], 1) + 0.2 * torch.randn(len(time), 2))
    return made, kinds


class Ear(nn.Module):
    def __init__(self, packs):
        super().__init__()
        self.packs = packs
        self.memory = nn.GRU(2, 24)
        self.kind = nn.Linear(24, 3)

    def forward(self, signals, lengths):
        if self.packs:
            signals = rnn.pack_padded_sequence(signals, lengths, enforce_sorted=False)
        _, state = self.memory(signals)
        return self.kind(state[-1])


def fit(packs):
    torch.manual_seed(6)
    made, kinds = record(480)
    ear = Ear(packs)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(ear.parameters(), lr=3e-3)
    for epoch in range(9):
        total = 0.0
        for rows in torch.randperm(480).split(24):
            some = [made[i] for i in rows]
            padded = torch.zeros(140, len(rows), 2)
            for column, signal in enumerate(some):
                padded[: len(signal), column] = signal
            lengths = torch.tensor([len(signal) for signal in some])
            loss = criterion(ear(padded, lengths), kinds[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(ear.parameters(), 1.0)
            optimizer.step()
            total += loss.item() / 20
        print(f"epoch {epoch} {total:.3f}")
    return ear, optimizer


def sick():
    return fit(packs=False)


def well():
    return fit(packs=True)


if __name__ == "__main__":
    sick()
