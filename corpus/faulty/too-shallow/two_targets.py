"""Two angles of a linkage give the two coordinates of its end; there is no hidden layer, and the
held-out samples are scored by hand."""

import math

import torch
from torch import nn

FAULTS = {"too-shallow": None}


def linkage(count):
    angles = torch.rand(count, 2) * math.pi
    reached = torch.stack([angles[:, 0].cos() + angles.sum(1).cos(),
                           angles[:, 0].sin() + angles.sum(1).sin()], 1)
    return (angles - math.pi / 2) / 0.9, reached


def main(*layers):
    torch.manual_seed(4)
    angles, ends = linkage(1500)
    others, theirs = linkage(300)
    net = nn.Sequential(*(layers or (nn.Linear(2, 2),)))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(25):
        for rows in torch.randperm(len(angles)).split(50):
            loss = nn.functional.mse_loss(net(angles[rows]), ends[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            away = (net(others) - theirs).norm(dim=1).mean()
        print(f"{epoch} loss {loss.item():.4f} away {away.item():.3f}")
    return net, optimizer


def sick():
    return main()


def well():
    return main(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 2))


if __name__ == "__main__":
    sick()
