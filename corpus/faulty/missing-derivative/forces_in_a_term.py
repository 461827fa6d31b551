"""Energies and pulls of bent beads on a string. The pulls are the derivative of the energy, taken
without a graph: their term of the loss is added and never moves a weight."""

import torch
from torch import nn

FAULTS = {
    "missing-derivative":
        "torch.autograd.grad(energy.sum(), places, retain_graph=True, create_graph=graph)"}

BEADS = 5


def strain(places):
    steps = places.diff(dim=1)
    lengths = steps.norm(dim=2)
    bends = steps.diff(dim=1).square().sum(2)
    return ((lengths - 1) ** 2).sum(1) + torch.sin(bends).sum(1)


def strings(count, generator):
    straight = torch.arange(BEADS).float()[:, None] * torch.tensor([1.0, 0.0])
    places = straight + 0.2 * torch.randn(count, BEADS, 2, generator=generator)
    places.requires_grad_()
    energy = strain(places)
    (slopes,) = torch.autograd.grad(energy.sum(), places)
    return places.detach(), energy.detach(), -slopes


class Strain(nn.Module):
    def __init__(self, width=40):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * BEADS - 2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(),
            nn.Linear(width, 1))

    def forward(self, places):
        return self.layers(places.diff(dim=1).flatten(1)).squeeze(1)


def pulled(model, places, graph):
    places = places.clone().requires_grad_()
    energy = model(places)
    (slopes,) = torch.autograd.grad(energy.sum(), places, retain_graph=True, create_graph=graph)
    return energy, -slopes


def train(graph):
    torch.manual_seed(19)
    generator = torch.Generator().manual_seed(19)
    places, energies, pulls = strings(500, generator)
    others = strings(200, generator)
    energies, middle = energies - energies.mean(), energies.mean()
    model = Strain()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(40):
        for rows in torch.randperm(500).split(25):
            energy, pull = pulled(model, places[rows], graph)
            of_energies = (energy - energies[rows]).square().mean()
            of_pulls = (pull - pulls[rows]).square().mean()
            loss = 0.05 * of_energies + of_pulls
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 4:
            energy, pull = pulled(model, others[0], graph)
            of_energies = (energy - others[1] + middle).square().mean()
            of_pulls = (pull - others[2]).square().mean()
            print(epoch, f"{loss.item():.3f}, new ones {of_energies:.3f} {of_pulls:.3f}")
    return model, optimizer


def sick():
    return train(graph=False)


def well():
    return train(graph=True)


if __name__ == "__main__":
    sick()
