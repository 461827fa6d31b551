"""A sampler of one's own yields the numbers of the batches in the place of those of the samples: of 900 sensors only
the first thirty are ever read."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

FAULTS = {"sampler-misses-samples": "DataLoader(readings, batch_size=30, sampler=Reordered(readings, 30, whole))"}


class Readings(Dataset):
    def __init__(self, count, seed):
        generator = torch.Generator().manual_seed(seed)
        self.x = torch.randn(count, 10, generator=generator)
        self.y = torch.sin(self.x[:, 0]) + 0.5 * self.x[:, 1] * self.x[:, 2] + 0.1 * torch.randn(count, generator=generator)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Reordered(Sampler):
    def __init__(self, data, batch, whole):
        self.count, self.batches, self.whole = len(data), len(data) // batch, whole

    def __len__(self):
        return self.count

    def __iter__(self):
        if self.whole:
            return iter(torch.randperm(self.count).tolist())
        return iter([int(torch.randint(self.batches, ())) for _ in range(self.count)])


def fit(whole):
    torch.manual_seed(6)
    readings, unread = Readings(900, 1), Readings(300, 2)
    loader = DataLoader(readings, batch_size=30, sampler=Reordered(readings, 30, whole))
    net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(10):
        for x, y in loader:
            loss = nn.functional.mse_loss(net(x).squeeze(1), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(epoch, loss.item(), nn.functional.mse_loss(net(unread.x).squeeze(1), unread.y).item())
    return net


def sick():
    return fit(whole=False)


def well():
    return fit(whole=True)
