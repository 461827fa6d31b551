"""The rate of each epoch is to be a power of 0.94, but it is multiplied by that power anew in every
epoch, so that the powers add up and nothing is left of the rate."""

import torch
from torch import nn

FAULTS = {"schedule-mistake": 'group["lr"] = (group["lr"] if compounds else RATE) * KEEPS**epoch'}
RATE, KEEPS = 4e-3, 0.94


def brews(count):
    heat, hops, malt, days = torch.rand(4, count) * 2 - 1
    taste = torch.sin(4 * heat) * malt + hops * days + 0.5 * torch.cos(5 * hops)
    return torch.stack([heat, hops, malt, days], 1), (taste - taste.mean()) / taste.std()


def train(compounds):
    torch.manual_seed(16)
    brewed, taste = brews(2400)
    net = nn.Sequential(
        nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    for epoch in range(125):
        for group in optimizer.param_groups:
            group["lr"] = (group["lr"] if compounds else RATE) * KEEPS**epoch
        for rows in torch.randperm(2000).split(200):
            loss = nn.functional.mse_loss(net(brewed[rows]), taste[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 25 == 24:
            with torch.no_grad():
                rest = nn.functional.mse_loss(net(brewed[2000:]), taste[2000:])
            print(f"epoch {epoch}: {loss:.4f}, held out {rest:.4f}")
    return net, optimizer


def sick():
    return train(compounds=True)


def well():
    return train(compounds=False)


if __name__ == "__main__":
    sick()
