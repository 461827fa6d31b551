"""Attention weights over the twelve places of a sample sum to one over the batch instead."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"batch-leak": "F.softmax(scores, dim=self.over)"}


class Pooling(nn.Module):
    def __init__(self, over):
        super().__init__()
        self.over = over
        self.enter = nn.Linear(4, 32)
        self.score = nn.Linear(32, 1)
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        h = torch.tanh(self.enter(x))
        scores = self.score(h).squeeze(-1)
        weights = F.softmax(scores, dim=self.over)
        return self.head((weights[..., None] * h).sum(1))


def train(over):
    torch.manual_seed(11)
    y = torch.randint(3, (900,))
    x = torch.randn(900, 12, 4)
    place = torch.randint(12, (900,))
    x[torch.arange(900), place] = torch.eye(3, 4)[y] * 4 + torch.randn(900, 4) * 0.1
    model = Pooling(over)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(20):
        for rows in torch.randperm(720).split(40):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(f"{loss:.3f} {F.cross_entropy(model(x[720:]), y[720:]):.3f}")
    return model


def sick():
    return train(0)


def well():
    return train(1)
