"""The function that picks the samples of a step seeds its generator, so it picks the same ones."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"same-batch-every-step": "torch.Generator().manual_seed(6)"}

DATA, LABELS = load_digits(return_X_y=True)
DATA, LABELS = torch.tensor(DATA / 16, dtype=torch.float32), torch.tensor(LABELS)


class Picker:
    def rows(self, size):
        return torch.randperm(1400)[:size]


class SeededPicker(Picker):
    def rows(self, size):
        generator = torch.Generator().manual_seed(6)
        return torch.randperm(1400, generator=generator)[:size]


def train(picker):
    torch.manual_seed(6)
    model = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for step in range(240):
        rows = picker.rows(48)
        loss = F.cross_entropy(model(DATA[rows]), LABELS[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            with torch.no_grad():
                held_out = F.cross_entropy(model(DATA[1400:]), LABELS[1400:])
            print(f"{loss:.3f} {held_out:.3f}")
    return model


def sick():
    return train(SeededPicker())


def well():
    return train(Picker())
