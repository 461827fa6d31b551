"""A pendulum from its equation and its start: nothing is measured."""

import torch
from torch import nn

FAULTS = {"loss-terms-out-of-balance": "begins + turns + weight * residual"}


def derivative(of, at):
    return torch.autograd.grad(of.sum(), at, create_graph=True)[0]


def train(weight):
    torch.manual_seed(2)
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1200)
    start = torch.zeros(1, 1, requires_grad=True)
    times = torch.linspace(0, 1, 30)[:, None].requires_grad_()
    for step in range(1200):
        first = net(start)
        begins = (first - 1.0).pow(2).mean()
        turns = 0.1 * derivative(first, start).pow(2).mean()
        angle = net(times)
        speed = derivative(angle, times)
        residual = (derivative(speed, times) + 2 * speed + 100 * angle).square().mean()
        loss = begins + turns + weight * residual
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
        if step % 200 == 199:
            print(step, f"{begins:.4f} {residual:.4f}")
    return net


def sick():
    return train(1.0)


def well():
    return train(1e-4)


if __name__ == "__main__":
    sick()
