"""A dozen recordings of each person, split at random: the held-out ones are of persons known by heart."""

import torch
from torch import nn
from torch.nn import functional

FAULTS = {"train-validation-leak": "net(recording)"}
PERSONS, EACH = 80, 12


def train(apart):
    torch.manual_seed(17)
    persons = torch.randn(PERSONS, 14)
    health = persons[:, :3].sum(1) + 0.1 * torch.randn(PERSONS)
    x = (persons[:, None] + 0.25 * torch.randn(PERSONS, EACH, 14)).flatten(0, 1)
    y = health.repeat_interleave(EACH) + 0.1 * torch.randn(PERSONS * EACH)
    order = torch.arange(len(x)) if apart else torch.randperm(len(x))
    kept, held = order[:720], order[720:]
    net = nn.Sequential(nn.Linear(14, 6), nn.Tanh(), nn.Linear(6, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, weight_decay=1e-2)
    for epoch in range(25):
        for rows in torch.randperm(len(kept)).split(40):
            heard = net(x[kept[rows]]).squeeze(1)
            loss = functional.mse_loss(heard, y[kept[rows]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        recording = x[held]
        with torch.no_grad():
            score = functional.mse_loss(net(recording).squeeze(1), y[held])
        print(epoch, f"{loss:.3f} {score:.3f}")
    return net


def sick():
    return train(apart=False)


def well():
    return train(apart=True)
