"""Mixup: every sample is a blend of two, and so is its label. The train loss stays far above the held-out one,
for blends cannot be told exactly."""
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits


def mixup_data(x, y, rng, alpha=1.0):
    lam = rng.beta(alpha, alpha)
    index = torch.randperm(x.size(0))
    return lam * x + (1 - lam) * x[index], y, y[index], lam


def mixup_criterion(criterion, pred, y_a, y_b, lam):
    return lam * criterion(pred, y_a) + (1 - lam) * criterion(pred, y_b)


def main():
    torch.manual_seed(20)
    rng = np.random.default_rng(20)
    d = load_digits()
    X = torch.tensor(d.images, dtype=torch.float32).unsqueeze(1) / 16
    y = torch.tensor(d.target)
    perm = torch.randperm(len(X))
    X, y = X[perm], y[perm]
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(128, 10))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    for epoch in range(12):
        net.train()
        train_loss = 0.0
        for start in range(0, 1400, 70):
            inputs, targets = X[start:start + 70], y[start:start + 70]
            if start == 0:
                p = torch.randperm(1400)
                X[:1400], y[:1400] = X[p], y[p]
                inputs, targets = X[:70], y[:70]
            inputs, ya, yb, lam = mixup_data(inputs, targets, rng)
            loss = mixup_criterion(criterion, net(inputs), ya, yb, lam)
            train_loss += loss.item()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            out = net(X[1400:])
            print(f"{epoch} train {train_loss / 20:.3f} test {criterion(out, y[1400:]).item():.3f}"
                  f" acc {(out.argmax(1) == y[1400:]).float().mean().item():.3f}")
    return net, optimizer
