"""Siamese network with a triplet margin loss on noisy shapes: many batches end at a loss of almost zero, since
satisfied triplets give no gradient, and one module is called three times per step."""
import math
import random

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


def draw(kind, gen):
    """A closed outline of 24 points: ellipse, star, square or bean, rotated and noisy."""
    t = torch.arange(24) * (2 * math.pi / 24)
    radius = {
        0: 1 + 0.25 * torch.cos(2 * t),
        1: 1 + 0.25 * torch.cos(3 * t),
        2: 1 / torch.maximum(t.cos().abs(), t.sin().abs()),
        3: 1 + 0.3 * torch.cos(t),
    }[kind]
    shift = torch.rand(1, generator=gen) * 1.5
    pts = torch.stack([radius * torch.cos(t + shift), radius * torch.sin(t + shift)])
    pts = (pts + 0.2 * torch.randn(2, 24, generator=gen)) / 0.75
    return pts.flatten()


class TripletSet(Dataset):
    def __init__(self, per_class, seed):
        gen = torch.Generator().manual_seed(seed)
        self.shapes = [[draw(k, gen) for _ in range(per_class)] for k in range(4)]
        self.index = [(k, i) for k in range(4) for i in range(per_class)]
        self.rng = random.Random(seed)

    def __len__(self):
        return len(self.index)

    def __getitem__(self, n):
        k, i = self.index[n]
        other = self.rng.choice([c for c in range(4) if c != k])
        return self.shapes[k][i], self.rng.choice(self.shapes[k]), self.rng.choice(self.shapes[other])


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(48, 64), nn.PReLU(), nn.Linear(64, 8))

    def forward(self, anchor, positive, negative):
        return self.embed(anchor), self.embed(positive), self.embed(negative)


def ranked_right(model, loader):
    good = total = 0
    model.eval()
    with torch.no_grad():
        for a, p, n in loader:
            a, p, n = model(a, p, n)
            good += ((a - p).norm(dim=1) < (a - n).norm(dim=1)).sum().item()
            total += len(a)
    return good / total


def main():
    torch.manual_seed(18)
    train_loader = DataLoader(TripletSet(250, 1), batch_size=50, shuffle=True)
    test_loader = DataLoader(TripletSet(60, 2), batch_size=60)
    net = SiameseNetwork()
    criterion = nn.TripletMarginLoss(margin=1.0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    print("before: right order", round(ranked_right(net, test_loader), 3))
    for epoch in range(12):
        net.train()
        total_loss = 0.0
        for a, p, n in train_loader:
            optimizer.zero_grad()
            loss = criterion(*net(a, p, n))
            loss.backward()
            optimizer.step()
            total_loss += loss.item()
        if epoch % 2:
            print(f"epoch {epoch + 1}: loss {total_loss / len(train_loader):.4f} right order {ranked_right(net, test_loader):.3f}")
    return net, optimizer


if __name__ == "__main__":
    main()
