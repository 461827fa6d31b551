"""Nights of a wrist band, padded to the longest: is its wearer asleep in each minute? The binary
cross entropy is written out and averaged over all of the batch. Behind the ends stand zeros, which
are no sleep, and which look like a band that hardly moves."""

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

FAULTS = {"padding-in-loss": "asleep * chance.log() + (1 - asleep) * (1 - chance).log()"}


def night(generator):
    minutes = 10 + int(torch.empty(1).exponential_(1 / 22, generator=generator).clamp(max=150))
    moved = torch.randn(minutes, 3, generator=generator)
    blurred = moved.norm(dim=1) + 0.2 * torch.randn(minutes, generator=generator)
    return moved, (blurred < 1.2).float()


class Sleeper(nn.Module):
    def __init__(self, width=20):
        super().__init__()
        self.first = nn.Linear(3, width)
        self.second = nn.Linear(width, width)
        self.last = nn.Linear(width, 1)

    def forward(self, moved):
        hidden = torch.relu(self.second(torch.relu(self.first(moved))))
        return torch.sigmoid(self.last(hidden)).squeeze(-1)


def surprise(chance, asleep):
    chance = chance.clamp(1e-5, 1 - 1e-5)
    return -(asleep * chance.log() + (1 - asleep) * (1 - chance).log())


def padded(nights, rows):
    moved = pad_sequence([nights[row][0] for row in rows], batch_first=True)
    asleep = pad_sequence([nights[row][1] for row in rows], batch_first=True)
    lengths = torch.tensor([len(nights[row][1]) for row in rows])
    return moved, asleep, torch.arange(moved.shape[1]) < lengths[:, None]


def train(real_only):
    torch.manual_seed(31)
    generator = torch.Generator().manual_seed(31)
    nights = [night(generator) for _ in range(500)]
    model = Sleeper()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(16):
        for rows in torch.randperm(400).split(25):
            moved, asleep, real = padded(nights, rows.tolist())
            losses = surprise(model(moved), asleep)
            loss = losses[real].mean() if real_only else losses.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            moved, asleep, real = padded(nights, range(400, 500))
            said = model(moved)[real] > 0.5
        found = (said & (asleep[real] > 0)).sum() / asleep.sum()
        print(epoch, f"{loss.item():.3f}, {found:.0%} of the sleep found")
    return model, optimizer


def sick():
    return train(real_only=False)


def well():
    return train(real_only=True)


if __name__ == "__main__":
    sick()
