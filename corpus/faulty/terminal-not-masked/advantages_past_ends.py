"""Kilns must keep their heat within a band. Advantages are added up backwards over a stretch of
firing, across the places where a kiln had failed and was lit again, so a failure costs nothing."""

import torch
from torch import nn
from torch.distributions import Categorical

FAULTS = {"terminal-not-masked": "surprise + DISCOUNT * TRACE * later"}
DISCOUNT, TRACE, KILNS, STRETCH = 0.95, 0.9, 24, 24


class Kilns:
    def __init__(self):
        self.heat, self.drift = 0.2 * torch.randn(KILNS), torch.zeros(KILNS)

    def looks(self):
        return torch.stack([self.heat, 4 * self.drift], 1)

    def fire(self, fuel):
        self.drift = self.drift + 0.04 * (fuel - 1) + 0.05 * self.heat + 0.01 * torch.randn(KILNS)
        self.heat = self.heat + self.drift
        done = self.heat.abs() > 1
        self.heat = torch.where(done, 0.2 * torch.randn(KILNS), self.heat)
        self.drift = torch.where(done, 0.0, self.drift)
        return torch.full((KILNS,), 1 - DISCOUNT), done.float()


def advantages(rewards, values, done, stops):
    later, found = torch.zeros(KILNS), []
    for t in reversed(range(STRETCH)):
        if not stops:
            surprise = rewards[t] + DISCOUNT * values[t + 1] - values[t]
            later = surprise + DISCOUNT * TRACE * later
        else:
            surprise = rewards[t] + DISCOUNT * (1 - done[t]) * values[t + 1] - values[t]
            later = surprise + DISCOUNT * TRACE * (1 - done[t]) * later
        found.append(later)
    return torch.stack(found[::-1])


def train(stops):
    torch.manual_seed(8)
    kilns = Kilns()
    stoker = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 3))
    judge = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam([*stoker.parameters(), *judge.parameters()], lr=4e-3)
    for turn in range(1, 121):
        seen, fuels, rewards, ends = [], [], [], []
        with torch.no_grad():
            for _ in range(STRETCH):
                seen.append(kilns.looks())
                fuels.append(Categorical(logits=stoker(seen[-1])).sample())
                reward, done = kilns.fire(fuels[-1])
                rewards.append(reward)
                ends.append(done)
            values = judge(torch.stack([*seen, kilns.looks()])).squeeze(2)
        gains = advantages(rewards, values, ends, stops)
        wanted = (gains + values[:-1]).flatten()
        gains = ((gains - gains.mean()) / gains.std()).flatten()
        looks, fuels = torch.cat(seen), torch.cat(fuels)
        for rows in torch.randperm(len(looks)).split(144):
            policy = Categorical(logits=stoker(looks[rows]))
            acts = (policy.log_prob(fuels[rows]) * gains[rows]).mean()
            error = nn.functional.mse_loss(judge(looks[rows]).squeeze(1), wanted[rows])
            loss = error - acts - 0.01 * policy.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if turn % 15 == 0:
            print(f"turn {turn}: failures {torch.stack(ends).mean():.4f}, error {error:.4f}")
    return stoker, judge, optimizer


def sick():
    return train(stops=False)


def well():
    return train(stops=True)


if __name__ == "__main__":
    sick()
