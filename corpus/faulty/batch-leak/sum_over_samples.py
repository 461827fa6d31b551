"""Attention by einsum, with the letter of the batch left out behind the arrow: which marks belong
together is decided for all samples at once."""

import torch
from torch import nn

FAULTS = {"batch-leak": "torch.einsum(way[0], q, k)"}

APART = "nqd,nkd->nqk", "nqk,nkd->nqd"
TOGETHER = "nqd,nkd->qk", "qk,nkd->nqd"


class Attend(nn.Module):
    def __init__(self, way, width=24):
        super().__init__()
        self.way = way
        self.embed = nn.Embedding(30, width)
        self.place = nn.Parameter(torch.randn(5, width) * 0.3)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.say = nn.Sequential(nn.Linear(2 * width, 48), nn.ReLU(), nn.Linear(48, 6))

    def forward(self, marks):
        way = self.way
        x = self.embed(marks) + self.place
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = torch.einsum(way[0], q, k)
        found = torch.einsum(way[1], (scores / 24 ** 0.5).softmax(-1), v)
        return self.say(torch.cat([x, found], -1)[:, -1])


def batch(generator):
    keys = torch.rand(48, 4, generator=generator).argsort(1)
    values = torch.randint(0, 6, (48, 4), generator=generator)
    which = torch.randint(0, 4, (48, 1), generator=generator)
    return torch.cat([keys * 6 + values, 24 + keys.gather(1, which)], 1), values.gather(1, which)[:, 0]


def train(way):
    torch.manual_seed(2)
    generator = torch.Generator().manual_seed(2)
    model = Attend(way)
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    for step in range(700):
        marks, values = batch(generator)
        loss = nn.functional.cross_entropy(model(marks), values)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(step, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(TOGETHER)


def well():
    return train(APART)


if __name__ == "__main__":
    sick()
