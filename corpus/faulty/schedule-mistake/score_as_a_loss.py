"""A schedule that waits for a loss to fall is given a score: each gain lowers the rate."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau

FAULTS = {"schedule-mistake": 'ReduceLROnPlateau(optimizer, mode=mode, factor=0.2, patience=1)'}


def tumours():
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(3))
    return torch.tensor(x).float()[order], torch.tensor(y).float()[order]


def fit(mode):
    torch.manual_seed(3)
    x, y = tumours()
    net = nn.Sequential(nn.Linear(30, 24), nn.Tanh(), nn.Linear(24, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.005)
    schedule = ReduceLROnPlateau(optimizer, mode=mode, factor=0.2, patience=1)
    for epoch in range(80):
        net.train()
        for rows in torch.randperm(420).split(20):
            loss = F.binary_cross_entropy_with_logits(net(x[rows])[:, 0], y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            malign = net(x[420:])[:, 0].sigmoid()
            score = torch.where(y[420:] > 0.5, malign, 1 - malign).mean()
        schedule.step(score)
        if epoch % 10 == 9:
            print(f"{epoch}  loss {loss:.3f}  score {score:.3f}")
    return net, optimizer


def sick():
    return fit(mode="min")


def well():
    return fit(mode="max")


if __name__ == "__main__":
    sick()
