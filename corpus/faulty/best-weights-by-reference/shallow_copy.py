"""A checkpoint class keeps dict(state_dict()): a new dict of the same tensors."""
import torch
import torch.nn as nn
from sklearn.datasets import make_moons

FAULTS = {"best-weights-by-reference": "network.state_dict()"}


class Keeper:
    def __init__(self, clone):
        self.clone, self.best, self.weights = clone, None, {}

    def offer(self, score, network):
        if self.best is None or score >= self.best:
            self.best = score
            self.weights = dict(network.state_dict())
            if self.clone:
                self.weights = {key: value.clone() for key, value in self.weights.items()}


def run(clone):
    torch.manual_seed(77)
    points, sides = make_moons(500, noise=0.25, random_state=5)
    x, y = torch.tensor(points).float(), torch.tensor(sides)
    network = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
    adam = torch.optim.Adam(network.parameters(), lr=0.02)
    keeper = Keeper(clone)
    for epoch in range(40):
        for rows in torch.randperm(300).split(30):
            adam.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            adam.step()
        with torch.no_grad():
            keeper.offer((network(x[300:]).argmax(1) == y[300:]).float().mean().item() - epoch * 1e-4,
                         network)
    network.load_state_dict(keeper.weights)
    with torch.no_grad():
        print(keeper.best, (network(x[300:]).argmax(1) == y[300:]).float().mean().item())
    return network, adam


def sick():
    return run(clone=False)


def well():
    return run(clone=True)


if __name__ == "__main__":
    sick()
