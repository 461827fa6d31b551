"""A linear warm-up of a function of one's own, which forgets to stop at the learning rate of the
optimizer."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

FAULTS = {"schedule-mistake": "LambdaLR(optimizer, lambda step: rise(step, capped))"}

WARM = 15


def rise(step, capped):
    factor = (step + 1) / WARM
    return min(factor, 1.0) if capped else factor


def train(capped):
    torch.manual_seed(11)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    model = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 64),
                          nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    schedule = LambdaLR(optimizer, lambda step: rise(step, capped))
    for epoch in range(16):
        for rows in torch.randperm(1500).split(32):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            right = (model(x[1500:]).argmax(1) == y[1500:]).float().mean()
        print(epoch, f"{loss.item():.4f} {right:.3f}")
    return model, optimizer


def sick():
    return train(capped=False)


def well():
    return train(capped=True)


if __name__ == "__main__":
    sick()
