"""Trains, saves a checkpoint to a temporary folder, builds everything anew, loads the checkpoint and goes on: the
second model never sees an initial loss, and the first one ends half-way."""
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


def build():
    model = nn.Sequential(nn.Linear(64, 80), nn.LayerNorm(80), nn.ReLU(), nn.Linear(80, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=16)
    return model, optimizer, scheduler


def save(path, epoch, model, optimizer, scheduler):
    torch.save({"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict()}, path)


def load(path, model, optimizer, scheduler):
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    return state["epoch"] + 1


def train(model, optimizer, scheduler, x, y, start, stop):
    for epoch in range(start, stop):
        model.train()
        total = 0.0
        for idx in torch.randperm(1400).split(40):
            loss = F.cross_entropy(model(x[idx]), y[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 35
        scheduler.step()
        if epoch % 2:
            model.eval()
            with torch.no_grad():
                logits = model(x[1400:])
            acc = (logits.argmax(1) == y[1400:]).float().mean().item()
            print(f"epoch {epoch}: train {total:.4f} test {F.cross_entropy(logits, y[1400:]).item():.4f} acc {acc:.3f}")


def main():
    torch.manual_seed(61)
    x, y = load_digits(return_X_y=True)
    p = torch.randperm(len(x))
    x, y = torch.tensor(x, dtype=torch.float32)[p] / 16 - 0.3, torch.tensor(y)[p]
    x = x / x[:1400].std()

    first = build()
    train(*first, x, y, 0, 8)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "last.pt")
        save(path, 7, *first)
        resumed = build()
        start = load(path, *resumed)
    print(f"resumed at epoch {start}")
    train(*resumed, x, y, start, 16)
    return first[0], first[1], resumed[0], resumed[1]


if __name__ == "__main__":
    main()
