"""The data set gives the number of its batches as its length, as data generators of another library do: of 960 rows a
loader that makes its batches itself only ever draws the first thirty."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"sampler-misses-samples": "len(self.rows) // self.batch"}


class Boxes(Dataset):
    """Boxes of three sides each, and the logarithm of their volumes."""

    def __init__(self, count, batch, seed):
        generator = torch.Generator().manual_seed(seed)
        self.batch = batch
        sides = torch.rand(count, 6, generator=generator) + 0.2
        volumes = sides[:, :3].prod(1).log() + 0.1 * torch.randn(count, generator=generator)
        self.rows = list(zip(sides, volumes))

    def __len__(self):
        return len(self.rows) // self.batch

    def __getitem__(self, i):
        sides, volume = self.rows[i]
        return sides - 0.7, volume + 1.2


def run(batch):
    torch.manual_seed(12)
    loader = DataLoader(Boxes(960, batch, 1), batch_size=32, shuffle=True)
    new = DataLoader(Boxes(300, 1, 2), batch_size=300)
    net = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(240 // len(loader)):
        for sides, volumes in loader:
            loss = nn.functional.mse_loss(net(sides).squeeze(1), volumes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            sides, volumes = next(iter(new))
            print(epoch, loss.item(), nn.functional.mse_loss(net(sides).squeeze(1), volumes).item())
    return net


def sick():
    return run(batch=32)


def well():
    return run(batch=1)
