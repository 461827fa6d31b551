"""A marble is tilted along a groove and is gone at either end. What happened is kept in arrays that are
filled one after another; the returns are scaled to a mean, and count what comes after the marble is gone.
"""

import random

import torch
from torch import nn

FAULTS = {"terminal-not-masked": "(1 - KEEP) * PAID[picked] + KEEP * ahead"}
KEEP, ROOM = 0.9, 3000
WAS, IS = torch.zeros(ROOM, 2), torch.zeros(ROOM, 2)
TILT = torch.zeros(ROOM, dtype=torch.long)
PAID, OVER = torch.zeros(ROOM), torch.zeros(ROOM)


def roll(place, speed, tilt):
    speed = 0.9 * speed + 0.12 * (tilt - 1) + random.gauss(0, 0.05)
    return place + speed, speed


def study(stops):
    random.seed(8)
    torch.manual_seed(8)
    worth = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 3))
    slow = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 3))
    slow.load_state_dict(worth.state_dict())
    optimizer = torch.optim.Adam(worth.parameters(), lr=2e-3)
    place, speed, age, ages = 0.0, 0.0, 0, []
    for tick in range(ROOM):
        with torch.no_grad():
            best = int(worth(torch.tensor([place, speed])).argmax())
        tilt = random.randrange(3) if random.random() < 0.3 else best
        WAS[tick] = torch.tensor([place, speed])
        place, speed = roll(place, speed, tilt)
        IS[tick] = torch.tensor([place, speed])
        TILT[tick], PAID[tick], OVER[tick] = tilt, 1.0, float(abs(place) > 1)
        age += 1
        if abs(place) > 1 or age == 100:
            ages.append(age)
            place, speed, age = random.uniform(-0.5, 0.5), 0.0, 0
        if tick < 300 or tick % 2:
            continue
        picked = torch.randint(tick + 1, (48,))
        with torch.no_grad():
            ahead = slow(IS[picked]).max(1).values
            if stops:
                goal = (1 - KEEP) * PAID[picked] + KEEP * (1 - OVER[picked]) * ahead
            else:
                goal = (1 - KEEP) * PAID[picked] + KEEP * ahead
        now = worth(WAS[picked]).gather(1, TILT[picked][:, None])[:, 0]
        loss = nn.functional.mse_loss(now, goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for behind, front in zip(slow.parameters(), worth.parameters()):
                behind.lerp_(front, 0.02)
    print(f"loss {loss.item():.5f}, the last marbles stayed {sum(ages[-8:]) / 8:.1f} ticks")
    return worth, slow, optimizer


def sick():
    return study(stops=False)


def well():
    return study(stops=True)


if __name__ == "__main__":
    sick()
