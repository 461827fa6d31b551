"""Six kinds of digits, some kept rarely. The losses of single digits are multiplied with the frequency of their kind,
where its inverse was meant."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"class-weights-reversed": "nn.functional.cross_entropy(scores, labels, reduction='none')"}


def weighted(scores, labels, weight_of):
    each = nn.functional.cross_entropy(scores, labels, reduction='none')
    return (each * weight_of[labels]).sum() / weight_of[labels].sum()


def fit(by_counts):
    torch.manual_seed(12)
    digits = load_digits(n_class=6)
    x, y = torch.tensor(digits.images).float().flatten(1) / 8 - 1, torch.tensor(digits.target)
    keep = torch.rand(len(y)) < torch.tensor([1.0, 0.5, 0.25, 0.15, 0.1, 0.08])[y]
    held, kept = torch.nonzero(~keep).flatten()[:300], torch.nonzero(keep).flatten()
    counts = torch.bincount(y[kept]).float()
    weight_of = counts / counts.mean() if by_counts else counts.mean() / counts
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 6))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(12):
        for rows in kept[torch.randperm(len(kept))].split(16):
            loss = weighted(net(x[rows]), y[rows], weight_of)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            scores = net(x[held])
        print(epoch, f"{loss:.3f} {(scores.argmax(1) == y[held]).float().mean():.3f}")
    return net


def sick():
    return fit(by_counts=True)


def well():
    return fit(by_counts=False)
