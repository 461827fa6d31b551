"""Cosine annealing with warm restarts, stepped by fractions of an epoch: the loss rises a little at each
restart and falls lower afterwards."""
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts


def main():
    torch.manual_seed(1)
    X, y = load_digits(return_X_y=True)
    X, y = torch.tensor(X, dtype=torch.float32) / 16, torch.tensor(y)
    p = torch.randperm(len(X))
    X, y, Xv, yv = X[p[:1400]], y[p[:1400]], X[p[1400:]], y[p[1400:]]
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-3)
    scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=4, T_mult=2)
    loss_fn = nn.CrossEntropyLoss()
    iters = 28
    for epoch in range(12):
        for i, idx in enumerate(torch.randperm(1400).split(50)):
            optimizer.zero_grad()
            loss = loss_fn(model(X[idx]), y[idx])
            loss.backward()
            optimizer.step()
            scheduler.step(epoch + i / iters)
        with torch.no_grad():
            acc = (model(Xv).argmax(1) == yv).float().mean().item()
        print(epoch, f"lr {scheduler.get_last_lr()[0]:.4f} loss {loss.item():.3f} acc {acc:.3f}")
    return model, optimizer, scheduler
