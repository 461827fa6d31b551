"""Films have several genres at once. The last layer ends in a softmax, so that the genres of a film
compete for a sum of 1; a sigmoid for each leaves them independent."""

import torch
from torch import nn

FAULTS = {"wrong-output-activation": "nn.Softmax(dim=1)"}
GENRES = 6


class GenreNet(nn.Module):
    def __init__(self, features, ends_in):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, 48), nn.ReLU(), nn.Linear(48, GENRES))
        self.ends_in = ends_in

    def forward(self, film):
        return self.ends_in(self.body(film))


def films(count=900, features=30):
    torch.manual_seed(1)
    film = torch.randn(count, features)
    taste = torch.randn(features, GENRES) / features**0.5
    return film, ((film @ taste + 0.2 * torch.randn(count, GENRES)) > 0.3).float()


def train(ends_in):
    film, genre = films()
    net = GenreNet(film.shape[1], ends_in)
    criterion = nn.BCELoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(25):
        for rows in torch.randperm(700).split(25):
            optimizer.zero_grad()
            loss = criterion(net(film[rows]), genre[rows])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            guess = net(film[700:])
            right = ((guess > 0.5) == (genre[700:] > 0.5)).float().mean()
            print(f"{epoch:2d} {criterion(guess, genre[700:]).item():.4f} {right.item():.3f}")
    return net, optimizer


def sick():
    return train(nn.Softmax(dim=1))


def well():
    return train(nn.Sigmoid())


if __name__ == "__main__":
    sick()
