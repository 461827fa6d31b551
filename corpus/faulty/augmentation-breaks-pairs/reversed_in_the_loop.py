"""Heartbeats and the places of their peaks: a batch is turned round in time by chance, the marks by another chance."""

import numpy as np
import torch
from torch import nn

FAULTS = {"augmentation-breaks-pairs": "random_shift(marks)"}


def beats(count, rng):
    time = np.arange(40)
    signals, marks = rng.normal(0, 0.4, (count, 40)), np.zeros((count, 40))
    for i in range(count):
        for place in rng.choice(36, 3, replace=False) + 2:
            signals[i] += 2.5 * np.exp(-0.5 * (time - place) ** 2)
            marks[i][abs(time - place) < 1.5] = 1
    return torch.tensor(signals[:, None], dtype=torch.float32), torch.tensor(marks[:, None], dtype=torch.float32)


def random_shift(x):
    turned = torch.stack([row.flip(-1) if torch.rand(()) < 0.5 else row for row in x])
    return torch.stack([torch.roll(row, int(torch.randint(-4, 5, ())), -1) for row in turned])


def train(apart):
    torch.manual_seed(11)
    rng = np.random.default_rng(11)
    signals, peaks = beats(200, rng)
    x_val, y_val = beats(60, rng)
    net = nn.Sequential(nn.Conv1d(1, 12, 5, padding=2), nn.ReLU(), nn.Conv1d(12, 1, 5, padding=2))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(8):
        for rows in torch.randperm(200).split(20):
            x, marks = signals[rows], peaks[rows]
            if apart:
                x = random_shift(x)
                marks = random_shift(marks)
            else:
                x, marks = random_shift(torch.cat([x, marks], 1)).split(1, 1)
            opt.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(net(x), marks)
            loss.backward()
            opt.step()
        with torch.no_grad():
            print(epoch, loss.item(), nn.functional.binary_cross_entropy_with_logits(net(x_val), y_val).item())
    return net


def sick():
    return train(apart=True)


def well():
    return train(apart=False)
