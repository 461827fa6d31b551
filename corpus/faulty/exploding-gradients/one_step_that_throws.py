"""Two marked numbers of a long sequence are added by a recurrence with ReLU. Now and then a
gradient through all steps is huge; nothing limits it, and one step throws the weights away."""

import torch
from torch import nn

FAULTS = {"exploding-gradients": "loss.backward()"}


class Adder(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.inp = nn.Linear(2, hidden)
        self.rec = nn.Linear(hidden, hidden, bias=False)
        self.out = nn.Linear(hidden, 1)
        nn.init.eye_(self.rec.weight)
        nn.init.zeros_(self.inp.bias)

    def forward(self, x):
        state = torch.zeros(len(x), self.rec.in_features)
        for step in range(x.shape[1]):
            state = torch.relu(self.inp(x[:, step]) + self.rec(state))
        return self.out(state).squeeze(1)


def numbers(count, length):
    values = torch.rand(count, length)
    marks = torch.zeros(count, length)
    half = length // 2
    first = torch.randint(0, half, (count, 1))
    second = torch.randint(half, length, (count, 1))
    marks.scatter_(1, first, 1.0).scatter_(1, second, 1.0)
    return torch.stack([values, marks], dim=2), (values * marks).sum(1) - 1.0


def run(limit):
    torch.manual_seed(6)
    net = Adder(48)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for step in range(500):
        x, y = numbers(64, 30)
        loss = (net(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        if limit:
            nn.utils.clip_grad_norm_(net.parameters(), limit)
        optimizer.step()
        if step % 50 == 0:
            print(step, f"{loss:.4f}")
    return net


def sick():
    return run(None)


def well():
    return run(1.0)


if __name__ == "__main__":
    sick()
