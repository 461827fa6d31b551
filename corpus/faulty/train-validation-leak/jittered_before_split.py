"""Few measurements of wine are copied with a little noise each, and only then split: nearly every
held-out sample has copies that were trained on."""

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

FAULTS = {"train-validation-leak": "scorer(batch)"}

COPIES, EPOCHS = 6, 24


def jittered(x, y):
    many = [x + 0.04 * torch.randn_like(x) for _ in range(COPIES)]
    return TensorDataset(torch.cat(many), y.repeat(COPIES))


def load(split_first):
    x, y = load_wine(return_X_y=True)
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    y = torch.tensor(y)
    if not split_first:
        return random_split(jittered(x, y), (0.75, 0.25))
    order = torch.randperm(len(x))
    kept, out = order[:134], order[134:]
    return jittered(x[kept], y[kept]), TensorDataset(x[out], y[out])


def train(split_first):
    torch.manual_seed(83)
    known, new = load(split_first)
    scorer = nn.Sequential(nn.Linear(13, 24), nn.SiLU(), nn.Linear(24, 3))
    optimizer = torch.optim.Adam(scorer.parameters(), lr=3e-3)
    for epoch in range(EPOCHS):
        for batch, kinds in DataLoader(known, batch_size=32, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(scorer(batch), kinds).backward()
            optimizer.step()
        losses = []
        with torch.no_grad():
            for batch, kinds in DataLoader(new, batch_size=128):
                losses.append(nn.functional.cross_entropy(scorer(batch), kinds).item())
        if epoch % 6 == 5:
            print(f"epoch {epoch + 1}: held out {sum(losses) / len(losses):.3f}")
    return scorer, optimizer


def sick():
    return train(split_first=False)


def well():
    return train(split_first=True)


if __name__ == "__main__":
    sick()
