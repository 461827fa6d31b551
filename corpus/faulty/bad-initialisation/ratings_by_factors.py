"""How users rate films, by the product of a vector of each. Both tables start at zero, so the gradient
of each is a multiple of the other: only the two averages are learned."""

import torch
from torch import nn

FAULTS = {"bad-initialisation": "fill(table.weight)"}


class Factors(nn.Module):
    def __init__(self, users, films, fill):
        super().__init__()
        self.of_user, self.of_film = nn.Embedding(users, 6), nn.Embedding(films, 6)
        self.user, self.film = nn.Embedding(users, 1), nn.Embedding(films, 1)
        for table in (self.of_user, self.of_film):
            fill(table.weight)
        for table in (self.user, self.film):
            nn.init.zeros_(table.weight)

    def forward(self, u, f):
        return (self.of_user(u) * self.of_film(f)).sum(-1) + self.user(u)[:, 0] + self.film(f)[:, 0]


def rated(fill):
    torch.manual_seed(5)
    users, films = torch.randint(120, (6000,)), torch.randint(80, (6000,))
    taste, kind = torch.randn(120, 3), torch.randn(80, 3)
    ratings = (taste[users] * kind[films]).sum(1) + 0.3 * torch.randn(6000)
    model = Factors(120, 80, fill)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for epoch in range(12):
        total = 0.0
        for rows in torch.randperm(6000).split(150):
            loss = ((model(users[rows], films[rows]) - ratings[rows]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"{epoch:2d}  {total / 6000:.4f}")
    return model, optimizer


def small(weight):
    nn.init.normal_(weight, 0.0, 0.1)


def sick():
    return rated(nn.init.zeros_)


def well():
    return rated(small)


if __name__ == "__main__":
    sick()
