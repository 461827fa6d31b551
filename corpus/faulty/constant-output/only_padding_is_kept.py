"""Requests are sorted by the mean of their words' vectors. The mask keeps the padding in place of
the words, so every request has the same mean, and dropout alone makes them differ."""

import torch
from torch import nn

FAULTS = {"constant-output": "self.sort(mean)"}

WORDS, PAD, LENGTH = 60, 0, 14


class Sorter(nn.Module):
    def __init__(self, inverted):
        super().__init__()
        self.inverted = inverted
        self.words = nn.Embedding(WORDS, 24, padding_idx=PAD)
        self.sort = nn.Sequential(nn.Linear(24, 48), nn.Tanh(), nn.Dropout(0.2), nn.Linear(48, 4))

    def forward(self, tokens):
        kept = (tokens == PAD) if self.inverted else (tokens != PAD)
        kept = kept.float().unsqueeze(2)
        mean = (self.words(tokens) * kept).sum(1) / kept.sum(1).clamp(min=1)
        return self.sort(mean)


def requests(count):
    kinds = torch.randint(0, 4, (count,))
    own = torch.randint(0, 8, (count, LENGTH)) + 1 + 10 * kinds[:, None]
    tokens = torch.where(torch.rand(count, LENGTH) < 0.4, own, torch.randint(45, WORDS, own.shape))
    lengths = torch.randint(6, LENGTH, (count, 1))
    return tokens.masked_fill(torch.arange(LENGTH) >= lengths, PAD), kinds


def run(inverted):
    torch.manual_seed(12)
    tokens, kinds = requests(1500)
    model = Sorter(inverted)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(8):
        model.train()
        for rows in torch.randperm(1200).split(32):
            loss = nn.functional.cross_entropy(model(tokens[rows]), kinds[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            right = (model(tokens[1200:]).argmax(1) == kinds[1200:]).float().mean()
        print(epoch, f"{loss:.3f} {right:.3f}")
    return model


def sick():
    return run(True)


def well():
    return run(False)


if __name__ == "__main__":
    sick()
