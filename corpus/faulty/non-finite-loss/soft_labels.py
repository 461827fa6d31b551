"""A student learns from the votes of a forest, of which some are zero: their logarithm is infinite."""

import torch
from torch import nn

FAULTS = {"non-finite-loss": "torch.log(votes)"}


def apart(logits, votes):
    ours = torch.log_softmax(logits, dim=1)
    theirs = torch.log(votes)
    return (ours.exp() * (ours - theirs)).sum(1).mean()


def train(least):
    torch.manual_seed(8)
    data = torch.randn(600, 10)
    truth = (data[:, 0] > 0).long() + (data[:, 1] > 0).long()
    votes = torch.eye(3)[truth] * 0.7
    votes[torch.arange(600), (truth + 1) % 3] += 0.3
    if least is not None:
        votes = votes.clamp_min(least)
    student = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
    for epoch in range(12):
        for rows in torch.randperm(600).split(50):
            loss = apart(student(data[rows]), votes[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        right = (student(data).argmax(1) == truth).float().mean()
        print(epoch, f"{loss.item():.3f} {right:.3f}")
    return student


def sick():
    return train(None)


def well():
    return train(1e-4)
