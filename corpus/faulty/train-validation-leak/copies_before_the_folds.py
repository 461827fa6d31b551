"""Each measurement is repeated with the error of the device before the folds are drawn, and only some of
the repeats are used.
"""

import numpy as np
import torch
from sklearn.model_selection import GroupKFold, KFold
from torch import nn

FAULTS = {"train-validation-leak": "model(x[held])"}


def measurements(random):
    x = random.normal(size=(600, 12))
    y = (x[:, 0] + x[:, 1] * x[:, 2] + 0.5 * random.normal(size=600) > 0).astype(int)
    source = np.repeat(np.arange(600), 3)
    used = random.random(len(source)) < 0.6
    x = x[source] + 0.04 * random.normal(size=(1800, 12))
    return (torch.tensor(x[used], dtype=torch.float32), torch.tensor(y[source][used]),
            source[used])


def train(folds):
    torch.manual_seed(9)
    x, y, source = measurements(np.random.default_rng(9))
    for learned, held in folds.split(x, y, source):
        model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(),
                              nn.Linear(32, 2))
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
        for epoch in range(12):
            for rows in torch.randperm(len(learned)).split(32):
                loss = nn.functional.cross_entropy(model(x[learned[rows]]), y[learned[rows]])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                scores = model(x[held])
                told = nn.functional.cross_entropy(scores, y[held]).item()
            right = (scores.argmax(1) == y[held]).float().mean().item()
            print(epoch, f"{loss.item():.3f} {told:.3f} {right:.3f}")
    return model, optimizer


def sick():
    return train(KFold(3, shuffle=True, random_state=0))


def well():
    return train(GroupKFold(3))


if __name__ == "__main__":
    sick()
