"""Two brackets are missing: `optimizer.step` without a call is a legal line that does
nothing, and every batch meets the same untrained network."""

import math

import torch
from torch import nn

FAULTS = {"step-never-called": "optimizer.step"}


def spirals(points):
    turn = torch.rand(points) * 2 * math.pi + 0.6
    arm = torch.randint(0, 2, (points,))
    angle = turn + math.pi * arm
    place = torch.stack([turn * angle.cos(), turn * angle.sin()], dim=1) / 2.8
    return place + 0.02 * torch.randn(points, 2), arm.float()


class Experiment:
    def __init__(self, points=1000):
        self.x, self.arm = spirals(points)
        self.test_x, self.test_arm = spirals(400)
        self.net = nn.Sequential(
            nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )
        self.optimizer = torch.optim.RAdam(self.net.parameters(), lr=0.01)

    def loss(self, rows):
        p = torch.sigmoid(self.net(self.x[rows])).squeeze(1)
        return nn.functional.binary_cross_entropy(p, self.arm[rows])

    def report(self, epoch, loss):
        with torch.no_grad():
            found = self.net(self.test_x).squeeze(1) > 0
        share = (found == self.test_arm.bool()).float().mean().item()
        print(f"[{epoch:3d}] loss {loss:.4f} test accuracy {share:.3f}")


def sick():
    torch.manual_seed(16)
    experiment = Experiment()
    optimizer = experiment.optimizer
    for epoch in range(20):
        for rows in torch.randperm(1000).chunk(20):
            loss = experiment.loss(rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step
        if epoch % 4 == 3:
            experiment.report(epoch, loss.item())
    return experiment.net, optimizer


def well():
    torch.manual_seed(16)
    experiment = Experiment()
    optimizer = experiment.optimizer
    for epoch in range(20):
        for rows in torch.randperm(1000).chunk(20):
            loss = experiment.loss(rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 4 == 3:
            experiment.report(epoch, loss.item())
    return experiment.net, optimizer


if __name__ == "__main__":
    sick()
