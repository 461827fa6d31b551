"""The outputs of each validation are kept for a curve. Nothing says no_grad, so that each comes with its graph."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from torch import nn

FAULTS = {"retained-graph": "self.net(x)"}


class Validator:
    def __init__(self, net, batches, keep):
        self.net, self.batches, self.keep = net, batches, keep
        self.history = []

    def run(self):
        self.net.eval()
        right, told = 0, []
        for x, y in self.batches:
            outputs = self.net(x)
            told.append(self.keep(outputs))
            right += (outputs.argmax(1) == y).sum().item()
        self.history.append(told)
        return right / sum(len(y) for _, y in self.batches)


def train(keep):
    torch.manual_seed(21)
    data, labels = load_wine(return_X_y=True)
    x, y = torch.tensor(data, dtype=torch.float32), torch.tensor(labels)
    x = (x - x.mean(0)) / x.std(0)
    order = torch.randperm(len(x))
    fit, held = order[:130], order[130:]
    net = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 3))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    validator = Validator(net, [(x[rows], y[rows]) for rows in held.split(16)], keep)
    for epoch in range(25):
        net.train()
        for rows in fit[torch.randperm(len(fit))].split(10):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        accuracy = validator.run()
        print(epoch, f"{loss.item():.3f} {accuracy:.3f}")
    return net, optimizer


def sick():
    return train(lambda outputs: outputs)


def well():
    return train(lambda outputs: outputs.detach())


if __name__ == "__main__":
    sick()
