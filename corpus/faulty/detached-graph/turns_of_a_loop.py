"""Layers of the same width are called in a loop, each with what the loop began with: the last of
them alone is read."""

import torch
from torch import nn

FAULTS = {"detached-graph": "layer(x)"}


class Waves(nn.Module):
    def __init__(self, chained, width=5):
        super().__init__()
        self.chained = chained
        self.first = nn.Linear(2, width)
        self.middle = nn.ModuleList([nn.Linear(width, width) for _ in range(3)])
        self.last = nn.Linear(width, 1)

    def forward(self, places):
        x = torch.tanh(self.first(places))
        if self.chained:
            for layer in self.middle:
                x = torch.tanh(layer(x))
            return self.last(x)
        for layer in self.middle:
            y = torch.tanh(layer(x))
        return self.last(y)


def train(chained):
    torch.manual_seed(4)
    places = torch.rand(1600, 2) * 4 - 2
    heights = torch.sin(2 * places[:, :1]) * torch.cos(2 * places[:, 1:])
    model = Waves(chained)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(40):
        for rows in torch.randperm(1600).split(80):
            loss = ((model(places[rows]) - heights[rows]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 0:
            print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(chained=False)


def well():
    return train(chained=True)


if __name__ == "__main__":
    sick()
