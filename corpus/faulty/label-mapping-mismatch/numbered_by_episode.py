"""The prototypes of an episode stand in the order in which its classes were drawn, and its labels are
numbered in the order of their names.
"""

import numpy as np
import torch
from torch import nn

FAULTS = {"label-mapping-mismatch": "episode(world, random, in_order)"}
WAYS, SHOTS, ASKED = 5, 4, 10


def episode(world, random, in_order):
    chosen = random.choice(len(world), WAYS, replace=False)
    if in_order:
        chosen = np.sort(chosen)
    shown, asked, names = [], [], []
    for kind in chosen:
        picked = random.permutation(world.shape[1])[:SHOTS + ASKED]
        shown.append(world[kind, picked[:SHOTS]])
        asked.append(world[kind, picked[SHOTS:]])
        names += [kind] * ASKED
    _, labels = np.unique(names, return_inverse=True)
    return (torch.tensor(np.stack(shown)), torch.tensor(np.concatenate(asked)),
            torch.tensor(labels))


def train(in_order):
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    centres = random.normal(size=(60, 1, 16))
    world = centres + 0.9 * random.normal(size=(60, 30, 16))
    world = world.astype(np.float32)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 24))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(500):
        shown, asked, labels = episode(world, random, in_order)
        prototypes = model(shown.flatten(0, 1)).reshape(WAYS, SHOTS, -1).mean(1)
        scores = -torch.cdist(model(asked), prototypes).pow(2)
        loss = nn.functional.cross_entropy(scores, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 99:
            print(step, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(in_order=False)


def well():
    return train(in_order=True)


if __name__ == "__main__":
    sick()
