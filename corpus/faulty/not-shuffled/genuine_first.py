"""Genuine banknotes lie on top of the pile and forged ones below, and the pile is gone through from
top to bottom: the network says of every note what the last ones were."""

import torch
from torch import nn

FAULTS = {"not-shuffled": "net(notes[start:start + BATCH])"}

BATCH, EPOCHS = 40, 8


def pile(count, generator):
    """Four measures of each note; a forgery differs in how two of them go together."""
    forged = (torch.arange(count) >= count // 2).float()
    measures = torch.randn(count, 4, generator=generator)
    measures[:, 1] += measures[:, 0] * (2 - 4 * forged)
    measures[:, 3] += 0.6 * forged
    return measures / measures.std(0), forged


def entropy(z, y):
    return (torch.relu(z) - z * y + torch.log1p(torch.exp(-z.abs()))).mean()


def inspect(mix):
    torch.manual_seed(23)
    generator = torch.Generator().manual_seed(23)
    notes, forged = pile(1200, generator)
    others, truth = pile(400, generator)
    net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(),
                        nn.Linear(32, 1), nn.Flatten(0))
    descent = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.8)
    for epoch in range(EPOCHS):
        if mix:
            order = torch.randperm(len(notes), generator=generator)
            notes, forged = notes[order], forged[order]
        for start in range(0, len(notes), BATCH):
            loss = entropy(net(notes[start:start + BATCH]), forged[start:start + BATCH])
            descent.zero_grad()
            loss.backward()
            descent.step()
        with torch.no_grad():
            told = net(others)
        right = ((told > 0) == (truth > 0.5)).float().mean().item()
        of_others = entropy(told, truth).item()
        print(f"{epoch:2d}: {loss.item():.3f}, others {of_others:.3f}, {right:.0%} right")
    return net, descent


def sick():
    return inspect(mix=False)


def well():
    return inspect(mix=True)


if __name__ == "__main__":
    sick()
