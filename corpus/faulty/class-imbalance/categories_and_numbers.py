"""Payments with two categories and five numbers each, one in forty of them a fraud. The network gets
the categories first, which many payments share, and the loss counts every payment alike."""

import torch
from torch import nn
from torch.nn import functional

FAULTS = {"class-imbalance": "functional.binary_cross_entropy_with_logits(logits, frauds, **weights)"}


def payments(count, generator):
    kinds = torch.stack([torch.randint(0, size, (count,), generator=generator) for size in (6, 4)], 1)
    numbers = torch.randn(count, 5, generator=generator)
    risk = numbers[:, 0] + numbers[:, 1] * (kinds[:, 0] < 3) + 0.8 * (kinds[:, 1] == 2)
    risk = risk + 1.1 * torch.randn(count, generator=generator)
    return kinds, numbers, (risk > 3.6).float()


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(6, 3), nn.Embedding(4, 3)])
        self.score = nn.Sequential(nn.Linear(11, 24), nn.ReLU(), nn.Linear(24, 1))

    def forward(self, kinds, numbers):
        found = [table(kinds[:, place]) for place, table in enumerate(self.tables)]
        return self.score(torch.cat([*found, numbers], 1)).squeeze(1)


def train(**weights):
    generator = torch.Generator().manual_seed(4)
    torch.manual_seed(4)
    kinds, numbers, frauds_of = payments(3000, generator)
    model = Scorer()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        for rows in torch.randperm(3000, generator=generator).split(64):
            frauds = frauds_of[rows]
            logits = model(kinds[rows], numbers[rows])
            loss = functional.binary_cross_entropy_with_logits(logits, frauds, **weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            told = model(kinds, numbers) > 0
        print(epoch, loss.item(), told[frauds_of == 1].float().mean().item())
    return model, optimizer


def sick():
    return train()


def well():
    return train(pos_weight=torch.tensor(20.0))


if __name__ == "__main__":
    sick()
