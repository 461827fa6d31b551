"""Deep Q-learning with a replay memory, a policy and a target net, soft updates and a Huber loss. The loss
follows the growing values upward; the length of the walks says that it learns."""
import math
import random
from collections import deque, namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F

Transition = namedtuple('Transition', ('state', 'action', 'next_state', 'reward'))


class Pole:
    """A pole on a cart, pushed left or right; ends when it leans too far or leaves the track."""

    def reset(self):
        self.s = [random.uniform(-0.05, 0.05) for _ in range(4)]
        self.n = 0
        return self.s

    def step(self, action):
        x, v, a, w = self.s
        force = 10.0 if action else -10.0
        temp = (force + 0.05 * w * w * math.sin(a)) / 1.1
        acc = (9.8 * math.sin(a) - math.cos(a) * temp) / (0.5 * (4 / 3 - 0.1 * math.cos(a) ** 2 / 1.1))
        xacc = temp - 0.05 * acc * math.cos(a) / 1.1
        self.s = [x + 0.02 * v, v + 0.02 * xacc, a + 0.02 * w, w + 0.02 * acc]
        self.n += 1
        terminated = abs(self.s[0]) > 2.4 or abs(self.s[2]) > 0.21
        return self.s, 1.0, terminated, self.n >= 200


class ReplayMemory:
    def __init__(self, capacity):
        self.memory = deque([], maxlen=capacity)

    def push(self, *args):
        self.memory.append(Transition(*args))

    def sample(self, n):
        return random.sample(self.memory, n)

    def __len__(self):
        return len(self.memory)


class DQN(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(4, 64)
        self.layer2 = nn.Linear(64, 64)
        self.layer3 = nn.Linear(64, 2)

    def forward(self, x):
        return self.layer3(F.relu(self.layer2(F.relu(self.layer1(x)))))


def main():
    torch.manual_seed(5)
    random.seed(5)
    GAMMA, TAU, BATCH = 0.99, 0.005, 64
    policy_net, target_net = DQN(), DQN()
    target_net.load_state_dict(policy_net.state_dict())
    optimizer = torch.optim.AdamW(policy_net.parameters(), lr=1e-3, amsgrad=True)
    memory, env, done_steps, lengths = ReplayMemory(10000), Pole(), 0, []

    def optimize_model():
        if len(memory) < BATCH:
            return
        batch = Transition(*zip(*memory.sample(BATCH)))
        non_final = torch.tensor([s is not None for s in batch.next_state])
        states, actions, rewards = torch.cat(batch.state), torch.cat(batch.action), torch.cat(batch.reward)
        q = policy_net(states).gather(1, actions)
        nextv = torch.zeros(BATCH)
        with torch.no_grad():
            nextv[non_final] = target_net(torch.cat([s for s in batch.next_state if s is not None])).max(1).values
        loss = nn.SmoothL1Loss()(q, (rewards + GAMMA * nextv).unsqueeze(1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(policy_net.parameters(), 100)
        optimizer.step()

    while done_steps < 3200:
        state = torch.tensor(env.reset()).unsqueeze(0)
        while True:
            eps = 0.05 + 0.85 * math.exp(-done_steps / 500)
            done_steps += 1
            if random.random() > eps:
                with torch.no_grad():
                    action = policy_net(state).max(1).indices.view(1, 1)
            else:
                action = torch.tensor([[random.randrange(2)]])
            obs, reward, terminated, truncated = env.step(action.item())
            nxt = None if terminated else torch.tensor(obs).unsqueeze(0)
            memory.push(state, action, nxt, torch.tensor([reward]))
            state = nxt
            optimize_model()
            with torch.no_grad():
                for t, p in zip(target_net.parameters(), policy_net.parameters()):
                    t.mul_(1 - TAU).add_(p, alpha=TAU)
            if terminated or truncated:
                lengths.append(env.n)
                break
    print("first walks", lengths[:10], "last walks", lengths[-10:])
    return policy_net, target_net, optimizer
