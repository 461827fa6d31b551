"""One table for all: the first rows are trained on, by weights that even out two classes, and the others are scored by
a sampler of their indices. The weights are fewer than the rows on purpose."""
import torch
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset, WeightedRandomSampler


def main():
    torch.manual_seed(14)
    rare = (torch.rand(1000) < 0.2).long()
    x = torch.randn(1000, 9)
    x[:, 2] += 1.8 * rare
    x[:, 5] -= 1.5 * rare
    table = TensorDataset(x, rare)
    known = rare[:700]
    weights = (1 / torch.bincount(known))[known]
    train = DataLoader(table, batch_size=35, sampler=WeightedRandomSampler(weights, len(weights)))
    score = DataLoader(table, batch_size=100, sampler=SubsetRandomSampler(range(700, 1000)))
    model = nn.Sequential(nn.Linear(9, 24), nn.ReLU(), nn.Linear(24, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        for rows, labels in train:
            loss = nn.functional.cross_entropy(model(rows), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            scores = [nn.functional.cross_entropy(model(rows), labels).item() for rows, labels in score]
        print(epoch, f"{loss:.3f} {sum(scores) / len(scores):.3f}")
    return model, optimizer
