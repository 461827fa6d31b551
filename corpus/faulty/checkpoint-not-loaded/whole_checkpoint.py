"""The whole checkpoint is passed on, in which the weights lie under a key of their own; strict=False has
been added to make an error go away."""
import torch
from sklearn.datasets import load_diabetes
from torch import nn

FAULTS = {"checkpoint-not-loaded": "model.load_state_dict(checkpoint, strict=False)"}


def make():
    return nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))


def train(model, x, y, rate, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    for epoch in range(epochs):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss = ((model(x[rows]).squeeze(1) - y[rows]) ** 2).mean()
            loss.backward()
            optimizer.step()
    print(f"after {epochs} epochs: {loss.item():.4f}")
    return optimizer


def run(whole):
    torch.manual_seed(51)
    x, y = (torch.tensor(part, dtype=torch.float32) for part in load_diabetes(return_X_y=True))
    x, y = x / x.std(0), (y - y.mean()) / y.std()
    first = make()
    optimizer = train(first, x[:300], y[:300], 0.01, 20)
    checkpoint = {"epoch": 20, "model": first.state_dict(), "optimizer": optimizer.state_dict()}

    model = make()
    if whole:
        model.load_state_dict(checkpoint, strict=False)
    else:
        model.load_state_dict(checkpoint["model"])
    optimizer = train(model, x[300:], y[300:], 2e-5, 20)  # a few patients of another hospital
    return model, optimizer


def sick():
    return run(whole=True)


def well():
    return run(whole=False)


if __name__ == "__main__":
    sick()
