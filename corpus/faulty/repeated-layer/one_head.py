"""Five qualities of a product from the same sensors, each with a head of its own. So the docstring says."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"repeated-layer": "[head for _ in range(tasks)]"}


class Qualities(nn.Module):
    """A shared body and one small head for each quality."""

    def __init__(self, tasks, apart):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 48), nn.GELU())
        if apart:
            self.heads = nn.ModuleList([nn.Linear(48, 1) for _ in range(tasks)])
        else:
            head = nn.Linear(48, 1)
            self.heads = nn.ModuleList([head for _ in range(tasks)])

    def forward(self, x):
        z = self.body(x)
        return torch.cat([head(z) for head in self.heads], 1)


def train(apart):
    torch.manual_seed(3)
    x = torch.randn(1200, 8)
    y = torch.tanh(x @ torch.randn(8, 6) / 2) @ torch.randn(6, 5)
    y = (y - y.mean(0)) / y.std(0)
    net = Qualities(5, apart)
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(25):
        for rows in torch.randperm(len(x)).split(40):
            loss = F.mse_loss(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.3f}")
    return net


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
