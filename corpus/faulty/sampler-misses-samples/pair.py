"""Rare defects are to be drawn as often as good parts. The sampler gets two weights, one a class, and takes them for
the weights of the first two parts."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

FAULTS = {"sampler-misses-samples": "WeightedRandomSampler(weights, len(known))"}


def parts(count, generator):
    defect = torch.rand(count, generator=generator) < 0.15
    x = torch.randn(count, 8, generator=generator)
    x[:, 0] += 2.2 * defect
    x[:, 3] -= 1.6 * defect
    return TensorDataset(x, defect.long())


def main(per_sample):
    torch.manual_seed(31)
    generator = torch.Generator().manual_seed(31)
    known, new = parts(1200, generator), parts(400, generator)
    labels = known.tensors[1]
    weights = 1 / torch.bincount(labels)
    if per_sample:
        weights = weights[labels]
    sampler = WeightedRandomSampler(weights, len(known))
    batches = DataLoader(known, batch_size=40, sampler=sampler)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(8):
        for x, y in batches:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            x, y = new.tensors
            found = model(x).argmax(1)
            recall = [(found[y == c] == c).float().mean().item() for c in (0, 1)]
            print(epoch, f"loss {loss:.4f} held out {nn.functional.cross_entropy(model(x), y):.4f}", recall)
    return model, optimizer


def sick():
    return main(per_sample=False)


def well():
    return main(per_sample=True)


if __name__ == "__main__":
    sick()
