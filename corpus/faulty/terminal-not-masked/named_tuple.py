"""Walks on a line of eleven squares that end at both ends: a replay memory of named tuples."""
import random
from collections import deque, namedtuple

import torch
from torch import nn

FAULTS = {"terminal-not-masked": "rewards + 0.95 * ahead"}

Move = namedtuple("Move", "square action reward following finished")


def one_hot(square):
    return torch.eye(11)[square]


def walk(memory):
    square = random.randrange(1, 10)
    while True:
        action = random.randrange(2)
        following = square + (1 if action else -1)
        finished = following in (0, 10)
        reward = -1.0 if following == 0 else 0.5 if following == 10 else 0.0
        memory.append(Move(square, action, reward, following, finished))
        if finished:
            return
        square = following


def train(net, held, optimizer, memory, end_matters):
    moves = Move(*zip(*random.sample(memory, 64)))
    actions = torch.tensor(moves.action).unsqueeze(1)
    rewards = torch.tensor(moves.reward).unsqueeze(1)
    with torch.no_grad():
        ahead = held(one_hot(list(moves.following))).max(1, keepdim=True).values
        if end_matters:
            ahead = ahead * (1 - torch.tensor(moves.finished).float().unsqueeze(1))
        wanted = rewards + 0.95 * ahead
    values = net(one_hot(list(moves.square))).gather(1, actions)
    loss = nn.functional.smooth_l1_loss(values, wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def run(end_matters):
    torch.manual_seed(1)
    random.seed(1)
    memory = deque(maxlen=4000)
    while len(memory) < 2000:
        walk(memory)
    net, held = (nn.Sequential(nn.Linear(11, 32), nn.ReLU(), nn.Linear(32, 2)) for _ in range(2))
    held.load_state_dict(net.state_dict())
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(600):
        loss = train(net, held, optimizer, memory, end_matters)
        if step % 50 == 49:
            held.load_state_dict(net.state_dict())
            print(step + 1, round(loss, 4))
    return net, held, optimizer


def sick():
    return run(end_matters=False)


def well():
    return run(end_matters=True)


if __name__ == "__main__":
    sick()
