"""A walker on a ring road learns its values from columns that are filled as it walks; a batch takes
its rows from each column where it needs them, and the column of ends is never read."""

import torch
from torch import nn

FAULTS = {"terminal-not-masked": "gain[rows] + 0.9 * later"}

PLACES, WALKS, WIDTH = 12, 3000, 40


def walk():
    """Places one after another; a walk ends at place 0, where it earns one."""
    here, there = torch.zeros(WALKS, PLACES), torch.zeros(WALKS, PLACES)
    gain, ended = torch.zeros(WALKS), torch.zeros(WALKS, dtype=torch.bool)
    place = 5
    for number in range(WALKS):
        here[number, place] = 1.0
        place = (place + (1 if torch.rand(()) < 0.6 else -1)) % PLACES
        there[number, place] = 1.0
        if place == 0:
            gain[number], ended[number] = 1.0, True
            place = int(torch.randint(1, PLACES, ()))
    return here, there, gain, ended


def make():
    return nn.Sequential(nn.Linear(PLACES, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1))


def train(ends_count):
    torch.manual_seed(17)
    here, there, gain, ended = walk()
    value, slow = make(), make()
    slow.load_state_dict(value.state_dict())
    optimizer = torch.optim.RMSprop(value.parameters(), lr=1e-3)
    for number in range(600):
        rows = torch.randint(0, WALKS, (48,))
        with torch.no_grad():
            later = slow(there[rows])[:, 0]
            if ends_count:
                later = later * ~ended[rows]
            wanted = gain[rows] + 0.9 * later
        loss = nn.functional.smooth_l1_loss(value(here[rows])[:, 0], wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number % 50 == 49:
            slow.load_state_dict(value.state_dict())
        if number % 200 == 199:
            print(number + 1, f"{loss.item():.5f}")
    return value, optimizer


def sick():
    return train(ends_count=False)


def well():
    return train(ends_count=True)


if __name__ == "__main__":
    sick()
