"""Prototypical networks: a batch sampler draws episodes of five classes with six samples each, so a batch is far from
a random part of the data. Few episodes, each new."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler, TensorDataset


class Episodes(Sampler):
    def __init__(self, labels, count, ways, shots, generator):
        self.rows = [torch.nonzero(labels == c).flatten() for c in labels.unique()]
        self.count, self.ways, self.shots, self.generator = count, ways, shots, generator

    def __len__(self):
        return self.count

    def __iter__(self):
        for _ in range(self.count):
            classes = torch.randperm(len(self.rows), generator=self.generator)[:self.ways]
            yield [int(self.rows[c][i]) for c in classes
                   for i in torch.randperm(len(self.rows[c]), generator=self.generator)[:self.shots]]


def episode_loss(model, x, ways, shots):
    z = model(x).view(ways, shots, -1)
    centres, queries = z[:, :3].mean(1), z[:, 3:].reshape(-1, z.shape[-1])
    wanted = torch.arange(ways).repeat_interleave(shots - 3)
    return nn.functional.cross_entropy(-torch.cdist(queries, centres), wanted)


def main():
    torch.manual_seed(15)
    generator = torch.Generator().manual_seed(15)
    centres = 1.5 * torch.randn(40, 12)
    labels = torch.arange(40).repeat_interleave(20)
    x = centres[labels] + torch.randn(800, 12)
    train = TensorDataset(x[:600], labels[:600])
    new = Episodes(labels[600:], 6, 5, 6, generator)
    loader = DataLoader(train, batch_sampler=Episodes(labels[:600], 60, 5, 6, generator))
    model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(6):
        for rows, _ in loader:
            loss = episode_loss(model, rows, 5, 6)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            scores = [episode_loss(model, x[600:][rows], 5, 6).item() for rows in new]
        print(epoch, f"{loss:.3f} {sum(scores) / len(scores):.3f}")
    return model, optimizer
