"""Focal loss by hand on one class in eight: the losses of single samples are multiplied with (1 - p) ** 2, and with a
weight that is larger for the rare class."""
import torch
import torch.nn.functional as F
from torch import nn


def focal(scores, labels, alpha):
    each = F.cross_entropy(scores, labels, reduction="none")
    hard = (1 - torch.exp(-each)) ** 2
    return (alpha[labels] * hard * each).mean()


def main():
    torch.manual_seed(18)
    rare = (torch.rand(2000) < 0.125).long()
    x = torch.randn(2000, 10)
    x[:, 0] += 1.7 * rare
    x[:, 7] += 1.3 * rare
    alpha = torch.tensor([0.25, 0.75])
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for epoch in range(10):
        for rows in torch.randperm(1500).split(50):
            loss = focal(model(x[rows]), rare[rows], alpha)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            out = model(x[1500:])
        recall = [(out.argmax(1) == rare[1500:])[rare[1500:] == c].float().mean().item() for c in (0, 1)]
        print(epoch, f"{loss:.3f} {focal(out, rare[1500:], alpha):.3f}", recall)
    return model, optimizer
