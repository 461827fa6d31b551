"""Two pendulums joined by a spring: a network gives both angles at any time, and its rates of change
are to obey the law of motion. They are taken column by column, and no graph of them is kept."""

import torch
from torch import nn

FAULTS = {
    "missing-derivative": "torch.autograd.grad(state[:, k].sum(), t, retain_graph=True)"}

START = torch.tensor([1.0, -0.4, 0.0, 0.0])
PULL, SPRING, SPAN = 1.6, 0.7, 4.0


def law(state):
    """The rates of both angles and both speeds."""
    left, right, left_speed, right_speed = state.unbind(1)
    stretch = SPRING * (right - left)
    return torch.stack(
        [left_speed, right_speed, stretch - PULL * left.sin(), -stretch - PULL * right.sin()], 1)


def true_path(points):
    state, path = START[None].clone(), [START[None]]
    tick = SPAN / (points - 1) / 20
    for _ in range(points - 1):
        for _ in range(20):
            half = state + tick / 2 * law(state)
            state = state + tick * law(half)
        path.append(state)
    return torch.cat(path)


def rates(state, t):
    columns = [
        torch.autograd.grad(state[:, k].sum(), t, retain_graph=True)[0]
        for k in range(state.shape[1])]
    return torch.cat(columns, dim=1)


def rates_with_graph(state, t):
    columns = [
        torch.autograd.grad(state[:, k].sum(), t, create_graph=True)[0]
        for k in range(state.shape[1])]
    return torch.cat(columns, dim=1)


class Swing(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 4))

    def forward(self, t):
        return self.body(t - SPAN / 2)


def train(rates_of):
    torch.manual_seed(12)
    swing = Swing()
    path, clock = true_path(41), torch.linspace(0, SPAN, 41)[:, None]
    optimizer = torch.optim.Adam(swing.parameters(), lr=3e-3)
    zero = torch.zeros(1, 1)
    for step in range(1500):
        t = (torch.rand(64, 1) * SPAN).requires_grad_()
        state = swing(t)
        residual = rates_of(state, t) - law(state)
        at_start = swing(zero)[0] - START
        loss = residual.square().mean() + 5 * at_start.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 250 == 249:
            with torch.no_grad():
                off = (swing(clock) - path)[:, :2].abs().max()
            print(f"{step + 1}: loss {loss.item():.5f}, angles off by {off.item():.3f} at most")
    return swing, optimizer


def sick():
    return train(rates)


def well():
    return train(rates_with_graph)
