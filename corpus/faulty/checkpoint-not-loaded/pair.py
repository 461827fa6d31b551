"""The pretrained weights were saved from inside a wrapper, so every key begins with module.; with
strict=False not one of them is loaded."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

FAULTS = {"checkpoint-not-loaded": "net.load_state_dict(state, strict=False)"}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.body(x))


class Wrapper(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x)


def fit(model, parameters, x, y, epochs, size):
    optimizer = torch.optim.Adam(parameters)
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(size):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return optimizer


def run(prefix):
    torch.manual_seed(6)
    images, labels = (torch.tensor(part) for part in load_digits(return_X_y=True))
    order = torch.randperm(len(labels))
    x, y = images[order].float() / 8 - 1, labels[order]
    pretrained = Wrapper(Net())
    fit(pretrained, [{"params": pretrained.parameters(), "lr": 2e-3}], x[:1200], y[:1200], 10, 50)
    state = {key.removeprefix(prefix): value for key, value in pretrained.state_dict().items()}

    net = Net()
    net.load_state_dict(state, strict=False)
    new, few = (y * 7 + 2) % 10, slice(1200, 1250)  # the digits have other numbers now
    groups = [{"params": net.body.parameters(), "lr": 1e-5},
              {"params": net.head.parameters(), "lr": 3e-3}]
    optimizer = fit(net, groups, x[few], new[few], 60, 10)
    with torch.no_grad():
        right = (net(x[1250:]).argmax(1) == new[1250:]).float().mean()
    print(f"accuracy after fine-tuning: {right.item():.3f}")
    return net, optimizer


def sick():
    return run(prefix="")


def well():
    return run(prefix="module.")


if __name__ == "__main__":
    sick()
