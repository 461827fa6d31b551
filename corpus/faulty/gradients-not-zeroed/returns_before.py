"""What begins a step returns before the gradients are cleared, except at every twentieth step."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"gradients-not-zeroed": "self.optimizer.zero_grad()"}


class Trainer:
    def __init__(self, every, log_every=20):
        torch.manual_seed(2)
        self.model = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.3)
        self.every, self.log_every = every, log_every

    def begin(self, step, loss):
        if step % self.log_every == 0:
            print(step, f"{loss:.3f}")
        if step % self.every:
            return
        self.optimizer.zero_grad()

    def fit(self, x, y, steps):
        for step in range(steps):
            rows = torch.randint(len(x), (64,))
            loss = nn.functional.cross_entropy(self.model(x[rows]), y[rows])
            self.begin(step, loss.item())
            loss.backward()
            self.optimizer.step()
        return self.model, self.optimizer


def run(every):
    x, y = load_digits(return_X_y=True)
    return Trainer(every).fit(torch.tensor(x / 16).float(), torch.tensor(y), steps=300)


def sick():
    return run(every=20)


def well():
    return run(every=1)


if __name__ == "__main__":
    sick()
