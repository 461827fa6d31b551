"""A double Q-learner with a replay buffer of arrays: terminals are stored, sampled and then forgotten."""
import numpy as np
import torch
import torch.nn as nn

FAULTS = {"terminal-not-masked": "rewards + 0.97 * best"}


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(2, 48)
        self.out = nn.Linear(48, 4)

    def forward(self, obs):
        return self.out(torch.tanh(self.hidden(obs)))


class Buffer:
    """A robot on a square floor; leaving it is the end and costs 1, the middle is worth 0.2."""

    def __init__(self, size, rng):
        self.rng = rng
        self.obs = rng.uniform(-1, 1, (size, 2)).astype(np.float32)
        self.actions = rng.integers(0, 4, size)
        moves = np.array([[0.3, 0], [-0.3, 0], [0, 0.3], [0, -0.3]], dtype=np.float32)
        self.next_obs = self.obs + moves[self.actions]
        self.terminals = (np.abs(self.next_obs).max(1) > 1).astype(np.float32)
        middle = np.abs(self.next_obs).max(1) < 0.3
        self.rewards = (0.2 * middle - self.terminals).astype(np.float32)

    def sample(self, n):
        rows = self.rng.integers(0, len(self.obs), n)
        return [torch.as_tensor(part[rows]) for part in (
            self.obs, self.actions, self.rewards, self.next_obs, self.terminals)]


def update(critic, slow, optimizer, batch, end_matters):
    obs, actions, rewards, next_obs, terminals = batch
    with torch.no_grad():
        choice = critic(next_obs).argmax(1, keepdim=True)
        best = slow(next_obs).gather(1, choice).squeeze(1)
        if end_matters:
            best = best * (1 - terminals)
        y = rewards + 0.97 * best
    error = critic(obs).gather(1, actions[:, None]).squeeze(1) - y
    loss = error.pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for a, b in zip(slow.parameters(), critic.parameters()):
            a.lerp_(b, 0.05)
    return loss.item()


def run(end_matters):
    torch.manual_seed(6)
    buffer = Buffer(2500, np.random.default_rng(6))
    critic, slow = Critic(), Critic()
    slow.load_state_dict(critic.state_dict())
    optimizer = torch.optim.AdamW(critic.parameters(), lr=2e-3)
    for number in range(700):
        loss = update(critic, slow, optimizer, buffer.sample(64), end_matters)
        if number % 100 == 99:
            print(number + 1, round(loss, 4))
    return critic, slow, optimizer


def sick():
    return run(end_matters=False)


def well():
    return run(end_matters=True)


if __name__ == "__main__":
    sick()
