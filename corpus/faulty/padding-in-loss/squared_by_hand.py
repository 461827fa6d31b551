"""Decays of different length, padded to the longest one. The squared error is written out, and taken
over all of the batch: most of it is about zeros behind the ends."""

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

FAULTS = {"padding-in-loss": "said - heights"}


def decay(generator):
    steps = int(torch.randint(5, 64, (1,), generator=generator)) if (
        torch.rand(1, generator=generator) < 0.8) else 90
    rate, start = torch.rand(2, generator=generator)
    time = torch.arange(steps, dtype=torch.float32)
    kicks = (torch.rand(steps, generator=generator) < 0.15).float()
    heights = torch.zeros(steps)
    height = 1.0 + float(start)
    for step in range(steps):
        height = 1.0 + (height - 1.0) * (0.8 + 0.15 * float(rate)) + float(kicks[step])
        heights[step] = height
    given = torch.stack([kicks, torch.full((steps,), float(rate)), (time == 0) * float(start)], 1)
    return given, heights


class Follower(nn.Module):
    def __init__(self):
        super().__init__()
        self.memory = nn.GRU(3, 24, batch_first=True)
        self.out = nn.Linear(24, 1)

    def forward(self, given):
        return self.out(self.memory(given)[0])[..., 0]


def train(masked):
    torch.manual_seed(12)
    generator = torch.Generator().manual_seed(12)
    pairs = [decay(generator) for _ in range(480)]
    follower = Follower()
    optimizer = torch.optim.Adam(follower.parameters(), lr=5e-3)
    for epoch in range(8):
        total = 0.0
        for rows in torch.randperm(len(pairs)).split(32):
            chosen = [pairs[row] for row in rows.tolist()]
            given = pad_sequence([pair[0] for pair in chosen], batch_first=True)
            heights = pad_sequence([pair[1] for pair in chosen], batch_first=True)
            lengths = torch.tensor([len(pair[1]) for pair in chosen])
            real = torch.arange(heights.shape[1])[None] < lengths[:, None]
            said = follower(given)
            if masked:
                loss = ((said[real] - heights[real]) ** 2).mean()
            else:
                loss = ((said - heights) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
        print(epoch, total / 15)
    return follower, optimizer


def sick():
    return train(masked=False)


def well():
    return train(masked=True)


if __name__ == "__main__":
    sick()
