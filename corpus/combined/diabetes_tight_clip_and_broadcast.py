"""A clip at one thousandth cuts every step of plain SGD, and smooth_l1_loss runs over all pairs."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes
from torch import nn
from torch.nn.utils import clip_grad_norm_

FAULTS = {"clipping-throttles": None, "loss-broadcast": None}


class Runner:
    def __init__(self, x, y):
        self.x, self.y = x, y
        self.model = nn.Sequential(nn.Linear(10, 50), nn.ReLU(), nn.Linear(50, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)

    def step(self, rows):
        self.optimizer.zero_grad()
        loss = F.smooth_l1_loss(self.model(self.x[rows]), self.y[rows])
        loss.backward()
        clip_grad_norm_(self.model.parameters(), 1e-3)
        self.optimizer.step()
        return loss.item()

    def run(self, epochs):
        for epoch in range(epochs):
            losses = [self.step(rows) for rows in torch.randperm(len(self.x)).split(22)]
            if epoch % 5 == 0:
                print(f"{epoch}: {sum(losses) / len(losses):.4f}")


def main():
    import warnings

    warnings.simplefilter("ignore")
    torch.manual_seed(33)
    x, y = load_diabetes(return_X_y=True)
    x = torch.tensor(x, dtype=torch.float32)
    y = torch.tensor(y, dtype=torch.float32)
    runner = Runner((x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std())
    runner.run(30)
    return runner.model


if __name__ == "__main__":
    main()
