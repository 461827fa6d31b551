"""Somebody once clipped an explosion away and the clip stayed, at a thousandth: every
gradient is cut to almost nothing, and the wines are never learned."""

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.nn.utils import clip_grad_norm_

FAULTS = {"clipping-throttles": "clip_grad_norm_(self.parameters(), 0.001)"}

MAX_EPOCHS = 40


def standardised_wine():
    wine = load_wine()
    x = torch.tensor(wine.data, dtype=torch.float)
    y = torch.tensor(wine.target)
    mixed = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    x, y = x[mixed], y[mixed]
    mean, deviation = x[:120].mean(0), x[:120].std(0)
    return (x - mean) / deviation, y


class Taster(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(13, 20), nn.Tanh(), nn.Dropout(0.1), nn.Linear(20, 3))
        self.optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)

    def update(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(self.parameters(), 5.0)
        self.optimizer.step()

    def learn(self, x, y):
        self.train()
        for rows in torch.randperm(len(x)).split(15):
            self.update(nn.functional.cross_entropy(self(x[rows]), y[rows]))

    def judge(self, x, y):
        self.eval()
        with torch.no_grad():
            scores = self(x)
        loss = nn.functional.cross_entropy(scores, y)
        return loss.item(), (scores.argmax(1) == y).float().mean().item()


class CautiousTaster(Taster):
    def update(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(self.parameters(), 0.001)
        self.optimizer.step()


def session(taster):
    x, y = standardised_wine()
    for epoch in range(MAX_EPOCHS):
        taster.learn(x[:120], y[:120])
        if not (epoch + 1) % 8:
            loss, accuracy = taster.judge(x[120:], y[120:])
            print(f"{epoch + 1} epochs: test loss {loss:.3f}, accuracy {accuracy:.2f}")
    return taster, taster.optimizer


def sick():
    torch.manual_seed(18)
    return session(CautiousTaster())


def well():
    torch.manual_seed(18)
    return session(Taster())


if __name__ == "__main__":
    sick()
