"""A frog on stepping stones may jump one or two stones; the last stone gives a reward of 1 and ends the
game. The targets do not ask whether it has ended."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

FAULTS = {"terminal-not-masked": "reward + GAMMA * next_value"}
STONES, GAMMA = 10, 0.95


def memory_of(number):
    stone = torch.randint(STONES, (number,))
    jump = torch.randint(2, (number,))
    landed = stone + jump + 1
    done = (landed >= STONES).float()
    return stone, jump, done - 0.05, landed.clamp(max=STONES), done


def see(stone):
    return F.one_hot(stone, STONES + 1).float()


def train(masked):
    torch.manual_seed(21)
    q = nn.Sequential(nn.Linear(STONES + 1, 40), nn.ReLU(), nn.Linear(40, 2))
    target = copy.deepcopy(q)
    optimizer = torch.optim.Adam(q.parameters(), lr=3e-3)
    memory = memory_of(1500)
    for step in range(1, 1001):
        rows = torch.randint(1500, (64,))
        stone, jump, reward, landed, done = (part[rows] for part in memory)
        with torch.no_grad():
            next_value = target(see(landed)).max(1).values
        if masked:
            goal = reward + GAMMA * (1 - done) * next_value
        else:
            goal = reward + GAMMA * next_value
        loss = F.mse_loss(q(see(stone)).gather(1, jump[:, None])[:, 0], goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            target.load_state_dict(q.state_dict())
        if step % 200 == 0:
            with torch.no_grad():
                print(f"step {step}: loss {loss.item():.4f}, "
                      f"value of the first stone {q(see(torch.tensor([0]))).max().item():.2f}")
    return q, target, optimizer


def sick():
    return train(masked=False)


def well():
    return train(masked=True)


if __name__ == "__main__":
    sick()
