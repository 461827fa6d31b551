"""A policy guesses digits and is told only whether it was right. Its gradient lacks the minus, so
that right guesses become rarer."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.distributions import Categorical

FAULTS = {"loss-sign": "log_probabilities * (rewards - usual)"}


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.look = nn.Linear(64, 96)
        self.choose = nn.Linear(96, 10)

    def forward(self, images):
        return Categorical(logits=self.choose(torch.relu(self.look(images))))


def play(sign):
    torch.manual_seed(29)
    images, digits = load_digits(return_X_y=True)
    images = torch.tensor(images, dtype=torch.float32) / 16 - 0.3
    digits = torch.tensor(digits)
    policy = Policy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=2e-3)
    usual = 0.1
    for turn in range(500):
        shown = torch.randint(0, len(digits), (64,))
        guesses = policy(images[shown])
        picked = guesses.sample()
        rewards = (picked == digits[shown]).float()
        log_probabilities = guesses.log_prob(picked)
        score = (log_probabilities * (rewards - usual)).mean()
        usual += 0.05 * (rewards.mean().item() - usual)
        optimizer.zero_grad()
        (sign * score).backward()
        optimizer.step()
        if turn % 100 == 99:
            print(f"turn {turn + 1}: right {usual:.3f}")
    return policy, optimizer


def sick():
    return play(1.0)


def well():
    return play(-1.0)


if __name__ == "__main__":
    sick()
