"""Friedman regression under a per-step cosine schedule that ends at exactly zero with the last step: the last
updates are almost nothing, as planned."""
import math

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import make_friedman1


def lr_at(step, total, base):
    return 0.5 * base * (1 + math.cos(math.pi * step / total))


def main():
    torch.manual_seed(0)
    X, y = make_friedman1(n_samples=2500, n_features=8, noise=0.5, random_state=0)
    X, y = X.astype(np.float32), y.astype(np.float32)
    n_train = 2000
    X = (X - X[:n_train].mean(0)) / X[:n_train].std(0)
    y = (y - y[:n_train].mean()) / y[:n_train].std()
    X, y = torch.from_numpy(X), torch.from_numpy(y)[:, None]

    model = nn.Sequential(nn.Linear(8, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
    base_lr, batch_size, epochs = 0.1, 50, 30
    opt = torch.optim.SGD(model.parameters(), lr=base_lr, momentum=0.9, nesterov=True, weight_decay=1e-4)
    total_steps = epochs * (n_train // batch_size)

    step = 0
    for epoch in range(epochs):
        model.train()
        running = 0.0
        for idx in torch.randperm(n_train).view(-1, batch_size):
            for group in opt.param_groups:
                group["lr"] = lr_at(step, total_steps - 1, base_lr)
            loss = nn.functional.mse_loss(model(X[idx]), y[idx])
            opt.zero_grad()
            loss.backward()
            opt.step()
            running += loss.item()
            step += 1
        if epoch % 5 == 4:
            model.eval()
            with torch.no_grad():
                val = nn.functional.mse_loss(model(X[n_train:]), y[n_train:]).item()
            print(f"epoch {epoch + 1}: lr {opt.param_groups[0]['lr']:.5f} train {running * batch_size / n_train:.4f} val {val:.4f}")
    return model, opt


if __name__ == "__main__":
    main()
