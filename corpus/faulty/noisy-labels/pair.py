"""Digits whose labels were typed in by hand, and every third or fourth of them wrong. The network ends
up learning the typing errors by heart."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

FAULTS = {"noisy-labels": "typed[wrong] = (typed[wrong] + rng.integers(1, 10, wrong.sum())) % 10"}


class ScannedForms(Dataset):
    def __init__(self, errors):
        digits = load_digits()
        rng = np.random.default_rng(11)
        self.images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1
        typed = digits.target.copy()
        wrong = rng.random(len(typed)) < errors
        typed[wrong] = (typed[wrong] + rng.integers(1, 10, wrong.sum())) % 10
        self.typed = torch.from_numpy(typed)

    def __len__(self):
        return 1500

    def __getitem__(self, i):
        return self.images[i], self.typed[i]

    def rest(self):
        return self.images[1500:], self.typed[1500:]


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 24, 3, padding=1)
        self.hidden = nn.Linear(24 * 16, 128)
        self.out = nn.Linear(128, 10)

    def forward(self, image):
        seen = F.max_pool2d(F.relu(self.conv(image)), 2)
        return self.out(F.relu(self.hidden(seen.flatten(1))))


def train(errors):
    torch.manual_seed(3)
    forms = DataLoader(ScannedForms(errors), 64, shuffle=True)
    images, typed = forms.dataset.rest()
    reader = Reader()
    optimizer = torch.optim.Adam(reader.parameters(), 2e-3, weight_decay=1e-4)
    for epoch in range(25):
        reader.train()
        for image, label in forms:
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(reader(image), label)
            loss.backward()
            optimizer.step()
        reader.eval()
        with torch.inference_mode():
            answers = reader(images)
            print(epoch, F.cross_entropy(answers, typed).item(), (answers.argmax(1) == typed).float().mean().item())
    return reader, optimizer


def sick():
    return train(errors=0.28)


def well():
    return train(errors=0.0)


if __name__ == "__main__":
    sick()
