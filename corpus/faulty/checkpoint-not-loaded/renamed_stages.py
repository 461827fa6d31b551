"""Weights from an older version of the program, in which the stages were called blocks. The keys of the stem
are as ever, and strict=False, which is there for the new head, passes over all others."""

import torch
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from torch import nn, optim

FAULTS = {"checkpoint-not-loaded": "net.load_state_dict(weights, strict=False)"}

WIDTH, STAGES = 40, 3


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(64, WIDTH)
        self.stages = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(STAGES))
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        for stage in self.stages:
            x = torch.relu(stage(x))
        return self.head(x).squeeze(1)


def as_it_was_stored(x, y, stages):
    """What the older version had learned of all ten digits, by its names."""
    old = MLPClassifier((WIDTH,) * (STAGES + 1), random_state=0)
    for _ in range(25):
        old.partial_fit(x, y, classes=range(10))
    names = ["stem", *(f"{stages}.{number}" for number in range(STAGES)), "classes"]
    weights = {}
    for name, matrix, bias in zip(names, old.coefs_, old.intercepts_):
        weights[f"{name}.weight"] = torch.tensor(matrix.T, dtype=torch.float32)
        weights[f"{name}.bias"] = torch.tensor(bias, dtype=torch.float32)
    return weights


def run(stages):
    torch.manual_seed(44)
    x, y = load_digits(return_X_y=True)
    x = x / 8 - 1
    weights = as_it_was_stored(x[:1200], y[:1200], stages)
    net = Net()
    net.load_state_dict(weights, strict=False)

    images = torch.tensor(x, dtype=torch.float32)
    even = torch.tensor(y % 2 == 0, dtype=torch.float32)
    optimizer = optim.Adam([
        {"params": net.head.parameters(), "lr": 1e-2},
        {"params": [*net.stem.parameters(), *net.stages.parameters()], "lr": 1e-4}])
    few = slice(1200, 1400)
    for epoch in range(20):
        for rows in torch.randperm(200).split(20):
            loss = nn.functional.binary_cross_entropy_with_logits(
                net(images[few][rows]), even[few][rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        right = ((net(images[1400:]) > 0) == even[1400:].bool()).float().mean()
    print(f"loss {loss:.3f}, {right:.1%} of the others right")
    return net, optimizer


def sick():
    return run(stages="blocks")


def well():
    return run(stages="stages")


if __name__ == "__main__":
    sick()
