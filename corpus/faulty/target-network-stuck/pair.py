"""Q-learning on a ring of rooms with one exit: the target network is copied once, at the beginning, and
never again."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

FAULTS = {"target-network-stuck": "target.load_state_dict(q.state_dict())"}
ROOMS, GAMMA = 12, 0.9


def transitions(number):
    state = torch.randint(ROOMS - 1, (number,))
    action = torch.randint(2, (number,))
    following = (state + 2 * action - 1).clamp(min=0)
    done = (following == ROOMS - 1).float()
    return state, action, done.clone(), following, done


def one_hot(state):
    return F.one_hot(state, ROOMS).float()


def train(every):
    torch.manual_seed(4)
    q = nn.Sequential(nn.Linear(ROOMS, 48), nn.ReLU(), nn.Linear(48, 2))
    target = copy.deepcopy(q)
    optimizer = torch.optim.Adam(q.parameters(), lr=3e-3)
    memory = transitions(2000)
    for step in range(1, 1201):
        rows = torch.randint(2000, (64,))
        state, action, reward, following, done = (part[rows] for part in memory)
        value = q(one_hot(state)).gather(1, action[:, None]).squeeze(1)
        with torch.no_grad():
            goal = reward + GAMMA * (1 - done) * target(one_hot(following)).max(1).values
        loss = F.smooth_l1_loss(value, goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if every and step % every == 0:
            target.load_state_dict(q.state_dict())
        if step % 200 == 0:
            with torch.no_grad():
                first = q(one_hot(torch.tensor([0]))).max().item()
            print(f"step {step}: loss {loss.item():.5f}, value of the first room {first:.3f} "
                  f"(true {GAMMA ** (ROOMS - 2):.3f})")
    return q, target, optimizer


def sick():
    return train(every=None)


def well():
    return train(every=50)


if __name__ == "__main__":
    sick()
