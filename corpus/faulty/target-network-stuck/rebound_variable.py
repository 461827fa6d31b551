"""The slow copy's weights are to follow by one per cent of the way, but the loop only gives its own
variable another value."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"target-network-stuck": "old = 0.98 * old + 0.02 * new"}

ROOMS, DISCOUNT = 9, 0.9


def seen(number):
    place = torch.randint(ROOMS - 1, (number,))
    move = torch.randint(2, (number,))
    then = (place + 2 * move - 1).clamp(min=0)
    over = (then == ROOMS - 1).float()
    return place, move, over, then, over


def network():
    return nn.Sequential(nn.Embedding(ROOMS, 32), nn.Tanh(), nn.Linear(32, 2))


class Agent:
    def __init__(self, writes):
        torch.manual_seed(3)
        self.writes = writes
        self.values = network()
        self.slow = copy.deepcopy(self.values)
        self.optimizer = torch.optim.Adam(self.values.parameters(), lr=3e-3)

    def learn(self, place, move, reward, then, over):
        value = self.values(place).gather(1, move[:, None]).squeeze(1)
        with torch.no_grad():
            goal = reward + DISCOUNT * (1 - over) * self.slow(then).max(1).values
        loss = F.mse_loss(value, goal)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.follow()
        return loss.item()

    def follow(self):
        for old, new in zip(self.slow.parameters(), self.values.parameters(), strict=True):
            if self.writes:
                old.data.copy_(0.98 * old + 0.02 * new)
            else:
                old = 0.98 * old + 0.02 * new


def train(writes):
    agent = Agent(writes)
    memory = seen(1500)
    for step in range(900):
        rows = torch.randint(1500, (64,))
        loss = agent.learn(*(part[rows] for part in memory))
        if step % 150 == 149:
            print(step, f"{loss:.4f}")
    return agent.values, agent.slow, agent.optimizer


def sick():
    return train(writes=False)


def well():
    return train(writes=True)


if __name__ == "__main__":
    sick()
