"""Digits in batches that a sampler makes anew in each epoch, from a seed of its own."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

FAULTS = {"sampler-misses-samples": "order.split(self.size)"}


class Scans(Dataset):
    def __init__(self, pictures, labels):
        self.pictures, self.labels = pictures, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        return self.pictures[row], self.labels[row]


class Batches(Sampler):
    def __init__(self, scans, size, whole):
        self.scans, self.size, self.epoch, self.whole = scans, size, 0, whole

    def __len__(self):
        return (len(self.scans) + self.size - 1) // self.size

    def __iter__(self):
        self.epoch += 1
        numbers = torch.Generator().manual_seed(self.epoch)
        order = torch.randperm(len(self.scans) if self.whole else len(self), generator=numbers)
        for batch in order.split(self.size):
            yield batch.tolist()


def train(whole):
    torch.manual_seed(8)
    digits = load_digits()
    pictures = torch.tensor(digits.data, dtype=torch.float32) / 8 - 1
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(labels))
    known, held_out = order[:1400], order[1400:]
    scans = Scans(pictures[known], labels[known])
    loader = DataLoader(scans, batch_sampler=Batches(scans, 25, whole))
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    step = 0
    while step < 800:
        for given, digit in loader:
            loss = F.cross_entropy(net(given), digit)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step % 100 == 0:
                with torch.no_grad():
                    print(step, f"{loss:.3f}", f"{F.cross_entropy(net(pictures[held_out]), labels[held_out]):.3f}")
    return net


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
