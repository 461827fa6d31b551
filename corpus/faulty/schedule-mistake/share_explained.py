"""A network that learns the course of a pendulum is left at a tenth of what it could reach: its
schedule waits for the share of the variance that is explained to fall.
"""

import torch
from torch import nn

FAULTS = {"schedule-mistake": (
    "torch.optim.lr_scheduler.ReduceLROnPlateau("
    "optimizer, mode=mode, factor=0.3, patience=3)")}


def swing(count, generator):
    """Angle and speed, and the angle some time later."""
    angle = 2.5 * (2 * torch.rand(count, generator=generator) - 1)
    speed = 2.0 * (2 * torch.rand(count, generator=generator) - 1)
    state, a, v = torch.stack([angle, speed], 1), angle.clone(), speed.clone()
    for _ in range(60):
        v = v - 0.02 * 4 * torch.sin(a)
        a = a + 0.02 * v
    return state, a[:, None]


def explained(model, state, after):
    with torch.no_grad():
        error = (model(state) - after).square().mean()
    return (1 - error / after.var()).item() * 100


def follow(mode):
    torch.manual_seed(9)
    generator = torch.Generator().manual_seed(9)
    state, after = swing(2000, generator)
    other, other_after = swing(500, generator)
    model = nn.Sequential(nn.Linear(2, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(),
                          nn.Linear(40, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode=mode, factor=0.3, patience=3)
    for epoch in range(50):
        for rows in torch.randperm(len(state)).split(50):
            loss = nn.functional.mse_loss(model(state[rows]), after[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        share = explained(model, other, other_after)
        plateau.step(share)
        print(f"{epoch} loss {loss.item():.5f} explained {share:.2f} %")
    return model


def sick():
    return follow("min")


def well():
    return follow("max")


if __name__ == "__main__":
    sick()
