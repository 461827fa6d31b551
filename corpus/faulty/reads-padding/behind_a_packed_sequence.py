"""Signals of different lengths are packed for the recurrent layer and unpacked behind it, and then the
last step of the longest is read of all."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

FAULTS = {"reads-padding": "steps[:, -1]"}


class Signals(nn.Module):
    def __init__(self, by_length):
        super().__init__()
        self.by_length = by_length
        self.gru = nn.GRU(3, 24, batch_first=True)
        self.say = nn.Linear(24, 2)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        steps, _ = self.gru(packed)
        steps, _ = pad_packed_sequence(steps, batch_first=True)
        if self.by_length:
            return self.say(steps[torch.arange(len(lengths)), lengths - 1])
        return self.say(steps[:, -1])


def signals(count):
    lengths = torch.randint(4, 20, (count,))
    x = [torch.randn(int(length), 3) + 0.3 * (i % 2) for i, length in enumerate(lengths)]
    return x, torch.arange(count) % 2


def train(by_length):
    torch.manual_seed(17)
    x, y = signals(900)
    model = Signals(by_length)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(12):
        for rows in torch.randperm(900).split(30):
            mine = [x[i] for i in rows]
            lengths = torch.tensor([len(each) for each in mine])
            scores = model(pad_sequence(mine, batch_first=True), lengths)
            loss = nn.functional.cross_entropy(scores, y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(by_length=False)


def well():
    return train(by_length=True)


if __name__ == "__main__":
    sick()
