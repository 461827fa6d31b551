"""The forward pass calls dropout as a function and forgets to hand it the mode, so that eval() does
not reach it: each evaluation of the same weights gives another accuracy."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale
from torch import nn

FAULTS = {"validation-in-train-mode": "F.dropout(hidden, 0.6)"}


class Taster(nn.Module):
    def __init__(self, units=64):
        super().__init__()
        self.embed = nn.Linear(13, units)
        self.mix = nn.Linear(units, units)
        self.judge = nn.Linear(units, 3)

    def hidden(self, wine):
        return torch.relu(self.mix(torch.relu(self.embed(wine))))


class Forgetful(Taster):
    def forward(self, wine):
        hidden = self.hidden(wine)
        return self.judge(F.dropout(hidden, 0.6))


class Careful(Taster):
    def forward(self, wine):
        hidden = self.hidden(wine)
        return self.judge(F.dropout(hidden, 0.6, training=self.training))


def fit(kind):
    torch.manual_seed(3)
    wine, sort = load_wine(return_X_y=True)
    wine, sort = torch.tensor(scale(wine), dtype=torch.float32), torch.tensor(sort)
    order = torch.randperm(len(wine))
    known, new = order[:120], order[120:]
    net = kind()
    adam = torch.optim.Adam(net.parameters(), 2e-3)
    for epoch in range(40):
        net.train()
        for rows in known[torch.randperm(120)].split(12):
            adam.zero_grad()
            F.cross_entropy(net(wine[rows]), sort[rows]).backward()
            adam.step()
        net.eval()
        with torch.inference_mode():
            given = net(wine[new])
            right = (given.argmax(1) == sort[new]).float().mean()
        if epoch % 10 == 9:
            print(f"{epoch + 1:3d}  loss {F.cross_entropy(given, sort[new]):.3f}  right {right:.3f}")
    return net, adam


def sick():
    return fit(Forgetful)


def well():
    return fit(Careful)


if __name__ == "__main__":
    sick()
