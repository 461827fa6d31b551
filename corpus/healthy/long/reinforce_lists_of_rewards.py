"""REINFORCE episode by episode, with lists of log-probabilities and rewards on the policy itself. The loss of
an episode is no measure of anything: normalised returns make it hover around zero. The running reward rises."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(3, 48)
        self.affine2 = nn.Linear(48, 3)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        return F.softmax(self.affine2(F.relu(self.affine1(x))), dim=1)


class Catch:
    """A ball falls for eight ticks and drifts; the bat moves left, stays or moves right."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def reset(self):
        self.ball, self.bat, self.height = self.rng.uniform(-1, 1), 0.0, 8
        return self.look()

    def look(self):
        return np.array([self.ball, self.bat, self.height / 8], dtype=np.float32)

    def step(self, a):
        self.bat += 0.25 * (a - 1)
        self.ball += 0.03 * self.rng.standard_normal()
        self.height -= 1
        return self.look(), -0.2 * abs(self.ball - self.bat), self.height == 0


policy = None


def select_action(state):
    probs = policy(torch.from_numpy(state).float().unsqueeze(0))
    m = Categorical(probs)
    action = m.sample()
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item()


def finish_episode(optimizer, eps=np.finfo(np.float32).eps.item()):
    R, returns, policy_loss = 0, [], []
    for r in policy.rewards[::-1]:
        R = r + 0.95 * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps)
    for log_prob, R in zip(policy.saved_log_probs, returns):
        policy_loss.append(-log_prob * R)
    optimizer.zero_grad()
    policy_loss = torch.cat(policy_loss).sum()
    policy_loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_log_probs[:]


def main():
    global policy
    torch.manual_seed(543)
    policy = Policy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    env, running = Catch(543), None
    for i_episode in range(900):
        state, total, done = env.reset(), 0.0, False
        while not done:
            state, reward, done = env.step(select_action(state))
            policy.rewards.append(reward)
            total += reward
        running = total if running is None else 0.05 * total + 0.95 * running
        finish_episode(optimizer)
        if i_episode % 150 == 0 or i_episode == 899:
            print('Episode {}\tLast reward: {:.2f}\tAverage reward: {:.2f}'.format(i_episode, total, running))
    return policy, optimizer
