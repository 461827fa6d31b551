"""Strings of brackets, batched by length: the short ones alone at first, and all of them from the
second third of the training on.
"""

import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Brackets(Dataset):
    def __init__(self, count, seed):
        draw = random.Random(seed)
        self.rows = []
        for _ in range(count):
            signs = [draw.choice((0, 1)) for _ in range(draw.randint(4, 12))]
            self.rows.append((signs, float(signs.count(1) * 2 > len(signs))))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        return self.rows[at]


class Curriculum:
    """Batches of one length each; none longer than `longest`."""

    def __init__(self, rows, size):
        self.size, self.longest = size, 7
        self.groups = {}
        for at, (signs, _) in enumerate(rows):
            self.groups.setdefault(len(signs), []).append(at)

    def __iter__(self):
        batches = []
        for length, group in self.groups.items():
            if length <= self.longest:
                random.shuffle(group)
                batches += [group[i:i + self.size] for i in range(0, len(group), self.size)]
        random.shuffle(batches)
        yield from batches


def collate(rows):
    signs, more = zip(*rows)
    return torch.tensor(signs), torch.tensor(more)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.sign = nn.Embedding(2, 8)
        self.read = nn.GRU(8, 24, batch_first=True)
        self.tell = nn.Linear(24, 1)

    def forward(self, signs):
        return self.tell(self.read(self.sign(signs))[0][:, -1]).squeeze(1)


def main():
    torch.manual_seed(18)
    random.seed(18)
    data = Brackets(360, 1)
    batches = Curriculum(data.rows, 30)
    loader = DataLoader(data, batch_sampler=batches, collate_fn=collate)
    net = Reader()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    cost = nn.BCEWithLogitsLoss()
    for epoch in range(60):
        if epoch == 20:
            batches.longest = 12
        for signs, more in loader:
            optimizer.zero_grad()
            loss = cost(net(signs), more)
            loss.backward()
            optimizer.step()
        if epoch % 10 == 9:
            print(epoch, round(loss.item(), 4))
    return net


if __name__ == "__main__":
    main()
