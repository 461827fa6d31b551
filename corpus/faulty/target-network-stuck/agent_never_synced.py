"""An agent whose method sync() nobody calls: its second network keeps the weights that it was born with."""
import random

import numpy as np
import torch
import torch.nn as nn

FAULTS = {"target-network-stuck": "self.frozen(next_obs)"}


def make_network():
    return nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 3))


class Agent:
    def __init__(self, sync_every):
        self.online = make_network()
        self.frozen = make_network()
        self.sync_every = sync_every
        self.updates = 0
        self.optimizer = torch.optim.Adam(self.online.parameters(), lr=2e-3)
        self.loss = nn.MSELoss()

    def sync(self):
        with torch.no_grad():
            for ours, theirs in zip(self.frozen.parameters(), self.online.parameters()):
                ours.copy_(theirs)

    def learn(self, batch):
        obs, actions, rewards, next_obs, dones = batch
        chosen = self.online(obs).gather(1, actions.unsqueeze(1)).squeeze(1)
        next_values = self.frozen(next_obs).max(dim=1)[0].detach()
        targets = rewards + 0.95 * next_values * (1 - dones)
        loss = self.loss(chosen, targets)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.updates += 1
        if self.sync_every and self.updates % self.sync_every == 0:
            self.sync()
        return loss.item()


class Slope:
    """A ball on a slope is pushed left, not at all, or right, and shall come to the middle."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.place, self.speed, self.time = random.uniform(-1, 1), 0.0, 0
        return self.see()

    def see(self):
        return np.array([self.place, self.speed, self.place ** 2], dtype=np.float32)

    def step(self, action):
        self.speed = 0.8 * self.speed + 0.1 * (action - 1)
        self.place += self.speed
        self.time += 1
        done = abs(self.place) > 1.5 or self.time > 40
        return self.see(), -abs(self.place), done


def batch_of(memory, size=48):
    obs, actions, rewards, next_obs, dones = zip(*random.sample(memory, size))
    return (torch.tensor(np.stack(obs)), torch.tensor(actions), torch.tensor(rewards),
            torch.tensor(np.stack(next_obs)), torch.tensor(dones, dtype=torch.float32))


def run(sync_every):
    torch.manual_seed(10)
    random.seed(10)
    agent, world, memory = Agent(sync_every), Slope(), []
    obs = world.reset()
    for _ in range(1200):
        action = random.randrange(3)
        following, reward, done = world.step(action)
        memory.append((obs, action, np.float32(reward), following, done))
        obs = world.reset() if done else following
    for update in range(700):
        loss = agent.learn(batch_of(memory))
        if update % 100 == 99:
            print(f"update {update + 1}: loss {loss:.4f}")
    return agent.online, agent.frozen, agent.optimizer


def sick():
    return run(sync_every=None)


def well():
    return run(sync_every=60)


if __name__ == "__main__":
    sick()
