"""Stages of sleep, told from four channels of a night. Nights are scored for a while only, by hand, and the
array of the scores is filled up with 0: the loss has the network learn when the scorer went home."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"padding-in-loss": "F.cross_entropy(stages, scored[few], ignore_index=unscored)"}

STAGES, CHANNELS, EPOCHS = 6, 4, 80


def nights(count):
    """Signals of shape (nights, channels, epochs of sleep); stages are counted from 1."""
    rng = np.random.default_rng(6)
    looks = rng.normal(0, 1.2, (STAGES + 1, CHANNELS))
    stage = rng.integers(1, STAGES + 1, size=(count, EPOCHS // 4)).repeat(4, axis=1)
    signals = looks[stage] + rng.normal(0, 0.8, (count, EPOCHS, CHANNELS))
    home = rng.integers(5, 48, size=count)
    scored = np.where(np.arange(EPOCHS) < home[:, None], stage, 0)
    return torch.from_numpy(signals).float().transpose(1, 2), torch.from_numpy(scored)


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.near = nn.Conv1d(CHANNELS, 24, 5, padding=2)
        self.deep = nn.Conv1d(24, 24, 3, padding=1)
        self.stage = nn.Conv1d(24, STAGES + 1, 1)

    def forward(self, night):
        return self.stage(F.relu(self.deep(F.relu(self.near(night)))))


def main(unscored):
    torch.manual_seed(6)
    signals, scored = nights(300)
    scorer = Scorer()
    optimizer = torch.optim.Adam(scorer.parameters(), lr=3e-3)
    for passed in range(12):
        for few in torch.randperm(300).split(20):
            stages = scorer(signals[few])
            loss = F.cross_entropy(stages, scored[few], ignore_index=unscored)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        right = (stages.argmax(1) == scored[few])[scored[few] > 0].float().mean()
        print(f"{passed}: loss {loss:.3f}, {right:.0%} of the scored epochs right")
    return scorer, optimizer


def sick():
    return main(unscored=-100)


def well():
    return main(unscored=0)


if __name__ == "__main__":
    sick()
