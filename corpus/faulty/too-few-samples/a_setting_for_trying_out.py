"""Forty of thousands of waves are taken, as was set to try the program out, and learned by heart."""

import torch
from torch import nn

FAULTS = {"too-few-samples": "40"}


def waves(count, seed):
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(48) / 48
    kind = torch.randint(4, (count,), generator=generator)
    speed = 2 + 3 * torch.rand(count, 1, generator=generator)
    turn = speed * time + torch.rand(count, 1, generator=generator)
    shapes = torch.stack([torch.sin(6.283 * turn), torch.sin(6.283 * turn).sign(),
                          2 * (turn % 1) - 1, torch.sin(6.283 * turn * (0.5 + time))], 1)
    noise = 0.5 * torch.randn(count, 48, generator=generator)
    return (shapes[torch.arange(count), kind] + noise)[:, None], kind


class Ear(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.first = nn.Conv1d(1, width, 5, padding=2)
        self.second = nn.Conv1d(width, width, 5, padding=2)
        self.last = nn.Linear(2 * width, 4)

    def forward(self, x):
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return self.last(torch.cat([x.mean(-1), x.amax(-1)], 1))


def train(limit):
    torch.manual_seed(13)
    x, y = waves(3000, 1)
    x, y = x[:limit], y[:limit]
    x_new, y_new = waves(600, 2)
    net = Ear()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    step = 0
    while step < 480:
        for rows in torch.randperm(len(x)).split(20):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            step += 1
            if step % 60 == 0:
                with torch.no_grad():
                    heard = net(x_new)
                    cost = nn.functional.cross_entropy(heard, y_new)
                right = (heard.argmax(1) == y_new).float().mean()
                print(step, f"{cost:.3f} {right:.3f}")
    return net


def sick():
    return train(limit=40)


def well():
    return train(limit=2400)
