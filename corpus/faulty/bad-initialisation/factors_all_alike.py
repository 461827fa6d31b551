"""Who likes which film, by the product of a row for the viewer and one for the film. All factors
start at the same number, so their eight columns stay one.
"""

import torch
from torch import nn

FAULTS = {"bad-initialisation": "nn.init.constant_(table.weight, 0.3)"}
VIEWERS, FILMS = 90, 70


def ratings(count, generator):
    tastes = torch.randn(VIEWERS, 3, generator=generator)
    kinds = torch.randn(FILMS, 3, generator=generator)
    seen = torch.randperm(VIEWERS * FILMS, generator=generator)[:count]
    viewer, film = seen // FILMS, seen % FILMS
    rating = (tastes[viewer] * kinds[film]).sum(1)
    return viewer, film, rating + 0.1 * torch.randn(count, generator=generator)


class Factors(nn.Module):
    def __init__(self, alike):
        super().__init__()
        self.viewer, self.film = nn.Embedding(VIEWERS, 8), nn.Embedding(FILMS, 8)
        for table in (self.viewer, self.film):
            if alike:
                nn.init.constant_(table.weight, 0.3)
            else:
                nn.init.normal_(table.weight, std=0.3)

    def forward(self, viewer, film):
        return (self.viewer(viewer) * self.film(film)).sum(1)


def train(alike):
    torch.manual_seed(1)
    viewer, film, rating = ratings(5000, torch.Generator().manual_seed(1))
    factors = Factors(alike)
    optimizer = torch.optim.Adam(factors.parameters(), lr=1e-2)
    for epoch in range(25):
        for rows in torch.randperm(4000).split(100):
            loss = nn.functional.mse_loss(factors(viewer[rows], film[rows]), rating[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            rest = factors(viewer[4000:], film[4000:]) - rating[4000:]
        print(f"{epoch} loss {loss.item():.3f} held out {rest.square().mean():.3f}")
    return factors


def sick():
    return train(alike=True)


def well():
    return train(alike=False)


if __name__ == "__main__":
    sick()
