"""Three measures of a patient from one trunk. The factory keeps what it has built by its arguments,
and the heads have the same arguments.
"""

import functools

import torch
from sklearn.datasets import load_diabetes
from torch import nn

FAULTS = {"repeated-layer": "build(32, 16)"}


def head(width, hidden):
    return nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1))


class Patient(nn.Module):
    def __init__(self, measures, build):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(7, 32), nn.Tanh())
        self.heads = nn.ModuleDict({measure: build(32, 16) for measure in measures})

    def forward(self, x):
        x = self.trunk(x)
        return {measure: head(x).squeeze(1) for measure, head in self.heads.items()}


def load():
    table, progress = load_diabetes(return_X_y=True)
    table = torch.tensor(table * 21).float()
    progress = torch.tensor(progress).float()
    targets = {"pressure": table[:, 3], "sugar": table[:, 9],
               "progress": (progress - progress.mean()) / progress.std()}
    return table[:, [0, 1, 2, 4, 5, 6, 7]], targets


def train(build):
    torch.manual_seed(5)
    x, targets = load()
    model = Patient(list(targets), build)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(30):
        for rows in torch.randperm(len(x)).split(34):
            guesses = model(x[rows])
            losses = [nn.functional.mse_loss(guesses[name], target[rows])
                      for name, target in targets.items()]
            optimizer.zero_grad()
            sum(losses).backward()
            optimizer.step()
        print(epoch, " ".join(f"{loss.item():.3f}" for loss in losses))
    return model


def sick():
    return train(functools.cache(head))


def well():
    return train(head)


if __name__ == "__main__":
    sick()
