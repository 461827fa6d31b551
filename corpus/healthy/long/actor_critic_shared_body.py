"""Actor and critic with a shared body, trained together: minus log-probability times advantage, plus a smooth
L1 loss of the value against the return. The returns rise, and with them at first the loss."""
import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical


class ActorCritic(nn.Module):
    def __init__(self, n_in, n_actions):
        super().__init__()
        self.body = nn.Linear(n_in, 64)
        self.action_head = nn.Linear(64, n_actions)
        self.value_head = nn.Linear(64, 1)

    def forward(self, x):
        x = torch.relu(self.body(x))
        return torch.softmax(self.action_head(x), dim=-1), self.value_head(x)


SIZE = 5


def rollout(model, n=1):
    """A walk over a grid to a corner; every tick costs, the corner pays."""
    x, y = random.randrange(SIZE), random.randrange(SIZE)
    saved, rewards = [], []
    for _ in range(25):
        s = torch.zeros(2 * SIZE)
        s[x] = s[SIZE + y] = 1.0
        probs, value = model(s)
        m = Categorical(probs)
        a = m.sample()
        dx, dy = ((1, 0), (-1, 0), (0, 1), (0, -1))[a.item()]
        x, y = min(max(x + dx, 0), SIZE - 1), min(max(y + dy, 0), SIZE - 1)
        done = (x, y) == (SIZE - 1, SIZE - 1)
        saved.append((m.log_prob(a), value))
        rewards.append(2.0 if done else -0.1)
        if done:
            break
    return saved, rewards


def main():
    torch.manual_seed(8)
    random.seed(8)
    model = ActorCritic(2 * SIZE, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    history = []
    for episode in range(700):
        saved, rewards = rollout(model)
        R, returns = 0.0, []
        for r in reversed(rewards):
            R = r + 0.95 * R
            returns.insert(0, R)
        policy_losses, value_losses = [], []
        for (log_prob, value), R in zip(saved, returns):
            advantage = R - value.item()
            policy_losses.append(-log_prob * advantage)
            value_losses.append(F.smooth_l1_loss(value, torch.tensor([R])))
        optimizer.zero_grad()
        loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()
        loss.backward()
        optimizer.step()
        history.append(len(rewards))
        if episode % 100 == 99:
            print(episode + 1, "mean length of the last 100 walks", sum(history[-100:]) / 100, "loss", round(loss.item(), 3))
    return model, optimizer
