"""A Q-learner whose batch comes with a column of falls, under a short name that nothing reads."""

import copy

import torch
from torch import nn
from torch.nn import functional

FAULTS = {"terminal-not-masked": "r + 0.95 * frozen(s2).amax(1)"}


def walks(count):
    """A walker on a ledge from -1 to 1: a step to the left or to the right, and outside it falls."""
    place = torch.rand(count, 1) * 2 - 1
    way = torch.randint(2, (count,))
    there = place + 0.25 * (2.0 * way[:, None] - 1) + 0.05 * torch.randn(count, 1)
    fell = there.abs().squeeze(1) > 1
    return place, way, 1.0 - 2.0 * fell, there, fell.float()


def forgetful(net, frozen, batch):
    s, a, r, s2, f = batch
    with torch.no_grad():
        goal = r + 0.95 * frozen(s2).amax(1)
    return functional.smooth_l1_loss(net(s).gather(1, a[:, None]).squeeze(1), goal)


def careful(net, frozen, batch):
    s, a, r, s2, f = batch
    with torch.no_grad():
        goal = r + 0.95 * (1 - f) * frozen(s2).amax(1)
    return functional.smooth_l1_loss(net(s).gather(1, a[:, None]).squeeze(1), goal)


def learn(error):
    torch.manual_seed(2)
    memory = walks(3000)
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2))
    frozen = copy.deepcopy(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for turn in range(800):
        rows = torch.randint(3000, (64,))
        loss = error(net, frozen, [column[rows] for column in memory])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if turn % 40 == 0:
            frozen.load_state_dict(net.state_dict())
            print(turn, f"{loss.item():.4f}")
    return net, frozen


def sick():
    return learn(forgetful)


def well():
    return learn(careful)
