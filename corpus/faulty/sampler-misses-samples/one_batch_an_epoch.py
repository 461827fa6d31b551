"""num_samples is the number of samples that the sampler draws, not how many classes there are: each epoch is over
after four digits."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

FAULTS = {"sampler-misses-samples": "WeightedRandomSampler(weights=weight_of[labels], num_samples=draws)"}


class Trainer:
    def __init__(self, draws):
        digits = load_digits()
        kept = digits.target < 4
        images = (digits.images[kept] / 8 - 1).astype(np.float32).reshape(-1, 64)
        labels = digits.target[kept]
        self.x_val, self.y_val = torch.from_numpy(images[600:]), torch.from_numpy(labels[600:])
        images, labels = images[:600], labels[:600]
        weight_of = 1.0 / np.bincount(labels)
        sampler = WeightedRandomSampler(weights=weight_of[labels], num_samples=draws)
        self.loader = DataLoader(
            TensorDataset(torch.from_numpy(images), torch.from_numpy(labels)), batch_size=32, sampler=sampler)
        self.net = nn.Sequential(nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 4))
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.02, momentum=0.5)

    def epoch(self):
        for x, y in self.loader:
            self.optimizer.zero_grad()
            F.cross_entropy(self.net(x), y).backward()
            self.optimizer.step()

    def validate(self):
        with torch.no_grad():
            out = self.net(self.x_val)
        return F.cross_entropy(out, self.y_val).item(), (out.argmax(1) == self.y_val).float().mean().item()


def train(draws):
    torch.manual_seed(2)
    trainer = Trainer(draws)
    for number in range(30):
        trainer.epoch()
        print(number, *trainer.validate())
    return trainer.net


def sick():
    return train(4)


def well():
    return train(600)
