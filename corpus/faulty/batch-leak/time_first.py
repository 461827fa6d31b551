"""A recurrent layer that has time first is given sequences that have the samples first."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"batch-leak": "self.rnn(x)"}


class Net(nn.Module):
    def __init__(self, batch_first):
        super().__init__()
        self.rnn = nn.GRU(2, 24, batch_first=batch_first)
        self.head = nn.Linear(24, 2)

    def forward(self, x):
        states, _ = self.rnn(x)
        return self.head(states[:, -1])


def train(batch_first):
    torch.manual_seed(3)
    x = torch.randn(640, 12, 2)
    y = (x[:, :, 0].sum(1) > 0).long()
    model = Net(batch_first)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for _ in range(12):
        for rows in torch.randperm(512).split(32):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(f"{loss:.3f} {F.cross_entropy(model(x[512:]), y[512:]):.3f}")
    return model


def sick():
    return train(False)


def well():
    return train(True)
