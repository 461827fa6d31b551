"""The function of a schedule returns the learning rate itself, which multiplies the optimizer's: with
a rate of 0.002 all steps are taken at 0.000004 or less."""

import math

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

FAULTS = {"schedule-mistake": "LambdaLR(optimizer, course)"}

RATE, EPOCHS, WARM_UP = 0.002, 40, 10


def wine():
    x, y = load_wine(return_X_y=True)
    x = torch.tensor((x - x.mean(0)) / x.std(0)).float()
    return x, torch.tensor(y)


def schedule(optimizer, steps, highest):
    def course(step):
        if step < WARM_UP:
            return highest * (step + 1) / WARM_UP
        done = (step - WARM_UP) / (steps - WARM_UP)
        return highest * 0.5 * (1 + math.cos(math.pi * done))

    return LambdaLR(optimizer, course)


def fit(highest):
    torch.manual_seed(3)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    steps = EPOCHS * math.ceil(len(x) / 32)
    scheduler = schedule(optimizer, steps, highest)
    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(32):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
        if epoch % 10 == 9:
            print(epoch, f"{loss:.3f}")
    return model, optimizer


def sick():
    return fit(highest=RATE)


def well():
    return fit(highest=1.0)


if __name__ == "__main__":
    sick()
