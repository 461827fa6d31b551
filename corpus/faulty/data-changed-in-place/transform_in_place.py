"""A list of recordings and a function that turns each into decibels, one after the other, with out=."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"data-changed-in-place": "np.log1p(np.abs(sound), out=sound)"}


def loudness(sound):
    np.log1p(np.abs(sound), out=sound)
    return sound * 2


class Recordings(Dataset):
    def __init__(self, sounds, lengths, prepare):
        self.pairs = [(sound, length) for sound, length in zip(sounds, lengths)]
        self.prepare = prepare

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        sound, length = self.pairs[i]
        return self.prepared(sound), length

    def prepared(self, sound):
        return torch.from_numpy(loudness(sound if self.prepare else sound.copy()))


def main(prepare):
    torch.manual_seed(7)
    rng = np.random.default_rng(7)
    scale = rng.uniform(0.3, 4.0, 400)
    sounds = (rng.standard_normal((400, 12)) * scale[:, None]).astype(np.float32)
    loader = DataLoader(Recordings(list(sounds), np.log(scale).astype(np.float32), prepare), batch_size=20, shuffle=True)
    net = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(10):
        losses = []
        for sound, length in loader:
            loss = nn.functional.mse_loss(net(sound)[:, 0], length)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(epoch, np.mean(losses))
    return net


def sick():
    return main(prepare=True)


def well():
    return main(prepare=False)
