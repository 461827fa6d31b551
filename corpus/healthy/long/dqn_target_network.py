"""Deep Q-learning with replay buffer and target network on a small grid world. The TD loss rises while the values
grow and never has to fall; the greedy policy's return shows the learning. The replay buffer repeats transitions."""
import copy
import random
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F

SIZE, GAMMA, LIMIT = 5, 0.95, 30
MOVES = [(0, 1), (1, 0), (0, -1), (-1, 0)]


class GridWorld:
    """Start anywhere, reach the corner; the middle row is a wall with one gap at the far side."""

    def reset(self, rng):
        self.pos, self.t = (rng.randrange(2), rng.randrange(SIZE)), 0
        return self.observe()

    def observe(self):
        obs = torch.zeros(SIZE * SIZE)
        obs[self.pos[0] * SIZE + self.pos[1]] = 1.0
        return obs

    def step(self, action):
        r, c = self.pos[0] + MOVES[action][0], self.pos[1] + MOVES[action][1]
        wall = r == 2 and c != SIZE - 1
        if 0 <= r < SIZE and 0 <= c < SIZE and not wall:
            self.pos = (r, c)
        self.t += 1
        done = self.pos == (SIZE - 1, 0)
        return self.observe(), 1.0 if done else -0.02, done, done or self.t >= LIMIT


def evaluate(q, episodes=20):
    rng, env, total = random.Random(0), GridWorld(), 0.0
    for _ in range(episodes):
        obs, over = env.reset(rng), False
        while not over:
            with torch.no_grad():
                obs, reward, _, over = env.step(q(obs).argmax().item())
            total += reward
    return total / episodes


def main():
    torch.manual_seed(0)
    rng = random.Random(1)
    env, memory = GridWorld(), deque(maxlen=3000)
    q = nn.Sequential(nn.Linear(SIZE * SIZE, 64), nn.ReLU(), nn.Linear(64, 4))
    target = copy.deepcopy(q).requires_grad_(False)
    optimizer = torch.optim.Adam(q.parameters(), lr=2e-3)
    print("untrained return", round(evaluate(q), 3))
    obs = env.reset(rng)
    for t in range(3000):
        epsilon = max(0.1, 1 - t / 1500)
        if rng.random() < epsilon:
            action = rng.randrange(4)
        else:
            with torch.no_grad():
                action = q(obs).argmax().item()
        nxt, reward, done, over = env.step(action)
        memory.append((obs, action, reward, nxt, float(done)))
        obs = env.reset(rng) if over else nxt
        if t >= 200 and t % 2 == 0:
            o, a, r, n, d = zip(*rng.sample(memory, 32))
            r, d = torch.tensor(r), torch.tensor(d)
            current = q(torch.stack(o)).gather(1, torch.tensor(a)[:, None]).squeeze(1)
            with torch.no_grad():
                goal = r + GAMMA * (1 - d) * target(torch.stack(n)).max(1).values
            loss = F.smooth_l1_loss(current, goal)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if t % 100 == 0:
            target.load_state_dict(q.state_dict())
        if t % 500 == 499:
            print(f"step {t + 1}: loss {loss.item():.5f} greedy return {evaluate(q):.3f}")
    return q, target, optimizer


if __name__ == "__main__":
    main()
