"""The gradients are cleared between the backward pass and the step, so the optimizer finds
nothing to follow and the flowers stay as mixed up as at the start."""

import torch
from sklearn.datasets import load_iris
from torch import nn, optim

FAULTS = {"step-without-gradient": "opt.zero_grad()"}

iris = load_iris()
chosen = torch.randperm(150, generator=torch.Generator().manual_seed(0))
X = torch.tensor(iris.data, dtype=torch.float32)[chosen]
Y = torch.tensor(iris.target)[chosen]
X = (X - X[:105].mean(0)) / X[:105].std(0)

loss_fn = nn.CrossEntropyLoss()


def held_out(model):
    with torch.no_grad():
        logits = model(X[105:])
    right = (logits.argmax(1) == Y[105:]).float().mean()
    return f"{loss_fn(logits, Y[105:]):.4f} {right:.2f}"


def sick():
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(4, 16), nn.Mish(), nn.Linear(16, 3))
    opt = optim.Adamax(model.parameters(), lr=0.02)
    for epoch in range(30):
        for rows in torch.randperm(105).split(15):
            loss = loss_fn(model(X[rows]), Y[rows])
            loss.backward()
            opt.zero_grad()
            opt.step()
        if epoch % 6 == 5:
            print(epoch + 1, f"{loss.item():.4f}", held_out(model))
    return model, opt


def well():
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(4, 16), nn.Mish(), nn.Linear(16, 3))
    opt = optim.Adamax(model.parameters(), lr=0.02)
    for epoch in range(30):
        for rows in torch.randperm(105).split(15):
            loss = loss_fn(model(X[rows]), Y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
        if epoch % 6 == 5:
            print(epoch + 1, f"{loss.item():.4f}", held_out(model))
    return model, opt


if __name__ == "__main__":
    sick()
