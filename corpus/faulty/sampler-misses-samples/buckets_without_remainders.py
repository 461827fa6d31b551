"""Sums of digit strings, batched by length so that nothing needs padding. What is left of a length is
dropped, and of the longer strings there never are enough for a batch: they are asked for in the test
and were never trained on.
"""

import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"sampler-misses-samples": "range(0, len(group), self.size)"}


class Sums(Dataset):
    def __init__(self, count, seed):
        draw = random.Random(seed)
        self.rows = []
        for _ in range(count):
            length = 3 + min(int(draw.expovariate(0.25)), 17)
            digits = [draw.randrange(10) for _ in range(length)]
            self.rows.append((digits, sum(1 if d > 4 else -1 for d in digits) > 0))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        return self.rows[at]


class ByLength:
    """Batches of one length each, in any order."""

    def __init__(self, rows, size, whole):
        self.size, self.whole = size, whole
        self.groups = {}
        for at, (digits, _) in enumerate(rows):
            self.groups.setdefault(len(digits), []).append(at)

    def __iter__(self):
        batches = []
        for group in self.groups.values():
            random.shuffle(group)
            for start in range(0, len(group), self.size):
                batch = group[start:start + self.size]
                if len(batch) == self.size or not self.whole:
                    batches.append(batch)
        random.shuffle(batches)
        yield from batches


def together(rows):
    digits, larger = zip(*rows)
    return torch.tensor(digits), torch.tensor(larger, dtype=torch.float32)


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.digit = nn.Embedding(10, 16)
        self.read = nn.GRU(16, 24, batch_first=True)
        self.tell = nn.Linear(24, 1)

    def forward(self, digits):
        return self.tell(self.read(self.digit(digits))[0][:, -1]).squeeze(1)


def main(whole):
    torch.manual_seed(9)
    random.seed(9)
    data, test = Sums(700, 1), Sums(300, 2)
    loader = DataLoader(data, batch_sampler=ByLength(data.rows, 64, whole), collate_fn=together)
    net = Counter()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    cost = nn.BCEWithLogitsLoss()
    for epoch in range(30):
        for digits, larger in loader:
            optimizer.zero_grad()
            cost(net(digits), larger).backward()
            optimizer.step()
        if epoch % 3 == 2:
            with torch.no_grad():
                right = [(net(torch.tensor([digits]))[0] > 0).item() == larger
                         for digits, larger in test]
            print(f"{epoch}: {sum(right) / len(right):.2f}")
    return net


def sick():
    return main(whole=True)


def well():
    return main(whole=False)


if __name__ == "__main__":
    sick()
