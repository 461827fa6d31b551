"""The energy of four atoms, a sum over their distances, is learned with the forces. What should bend
between the layers is the identity; the distances, and their derivatives, are nonlinear all the same."""

from itertools import combinations

import torch
from torch import nn

FAULTS = {"missing-nonlinearity": "nn.Linear(size, 32)"}

ONE, OTHER = map(list, zip(*combinations(range(4), 2)))


def distances(places):
    return (places[:, ONE] - places[:, OTHER]).norm(dim=-1)


class Energy(nn.Module):
    def __init__(self, bend):
        super().__init__()
        layers = []
        for size in (1, 32, 32):
            layers += [nn.Linear(size, 32), bend()]
        self.pair = nn.Sequential(*layers, nn.Linear(32, 1))

    def forward(self, places):
        return self.pair((distances(places) - 1.6).unsqueeze(-1)).sum((1, 2))


def train(bend):
    torch.manual_seed(1)
    corners = torch.tensor([[0.0, 0, 0], [1.5, 0, 0], [0, 1.5, 0], [0, 0, 1.5]])
    places = (corners + 0.22 * torch.randn(800, 4, 3)).requires_grad_()
    energies = ((1 - torch.exp(-1.8 * (distances(places) - 1.3))) ** 2 - 1).sum(1)
    (forces,) = torch.autograd.grad(energies.sum(), places)
    places, energies = places.detach(), energies.detach()
    model = Energy(bend)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for step in range(400):
        rows = torch.randint(0, 800, (64,))
        here = places[rows].requires_grad_()
        energy = model(here)
        (force,) = torch.autograd.grad(energy.sum(), here, create_graph=True)
        loss = (energy - energies[rows]).square().mean() + 0.2 * (force - forces[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(step, loss.item())
    return model, optimizer


def sick():
    return train(nn.Identity)


def well():
    return train(nn.SiLU)


if __name__ == "__main__":
    sick()
