"""Features of very different spread make a narrow valley: plain gradient descent creeps along its
ground while its walls forbid a higher rate."""

import torch
from torch import nn

FAULTS = {"momentum-too-low": "torch.optim.SGD([*model.parameters()], lr=0.02, momentum=momentum)"}


def make_data():
    g = torch.Generator().manual_seed(17)
    spread = torch.logspace(0.5, -1.8, 16)
    x = torch.randn(600, 16, generator=g) * spread
    y = (x / spread) @ (torch.ones(16, 1) / 4)
    return x, y


def step_once(model, optimizer, x, y):
    def error():
        return (model(x) - y).pow(2).mean()

    optimizer.zero_grad()
    loss = error()
    loss.backward()
    optimizer.step()
    return loss.item()


def fit(momentum, epochs=60):
    x, y = make_data()
    model = nn.Linear(16, 1)
    optimizer = torch.optim.SGD([*model.parameters()], lr=0.02, momentum=momentum)
    for _ in range(epochs):
        losses = [
            step_once(model, optimizer, x[rows], y[rows])
            for rows in torch.randperm(len(x)).split(600)
        ]
        print(sum(losses) / len(losses))
    return model, optimizer


def sick():
    torch.manual_seed(6)
    return fit(momentum=0.0)


def well():
    torch.manual_seed(6)
    return fit(momentum=0.9, epochs=600)


if __name__ == "__main__":
    sick()
