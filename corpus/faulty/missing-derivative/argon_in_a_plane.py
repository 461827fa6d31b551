"""Clusters of atoms in a plane, their energies and the forces on them. A helper returns the energy
and its negative gradient, but keeps no graph of the gradient."""

import torch
from torch import nn

FAULTS = {"missing-derivative": "torch.autograd.grad(e.sum(), r, retain_graph=True)"}

ATOMS = 4
PAIRS = torch.triu_indices(ATOMS, ATOMS, 1)


def distances(r):
    return (r[:, PAIRS[0]] - r[:, PAIRS[1]]).square().sum(-1).sqrt()


def morse(r):
    return ((1 - torch.exp(-1.5 * (distances(r) - 1.1))) ** 2 - 1).sum(1)


class PairEnergy(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.of_pair = nn.Sequential(
            nn.Linear(1, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, r):
        return self.of_pair(distances(r).unsqueeze(-1) - 1.3).sum((1, 2))


def energy_and_force(potential, r):
    e = potential(r)
    g = torch.autograd.grad(e.sum(), r, retain_graph=True)[0]
    return e, -g


def trainable_force(potential, r):
    e = potential(r)
    g = torch.autograd.grad(e.sum(), r, create_graph=True)[0]
    return e, -g


def snapshots(count):
    corners = torch.tensor([[0.0, 0.0], [1.2, 0.0], [0.0, 1.2], [1.2, 1.2]])
    r = (corners + 0.15 * torch.randn(count, ATOMS, 2)).requires_grad_()
    e, f = energy_and_force(morse, r)
    return r.detach(), e.detach(), f.detach()


def fit(outputs_of):
    torch.manual_seed(27)
    (r, e, f), (r_new, _, f_new) = snapshots(400), snapshots(100)
    potential = PairEnergy(32)
    optimizer = torch.optim.Adam(potential.parameters(), lr=3e-3)
    for epoch in range(40):
        for i in torch.randperm(len(r)).split(25):
            e_hat, f_hat = outputs_of(potential, r[i].clone().requires_grad_())
            le = (e_hat - e[i]).pow(2).mean()
            lf = (f_hat - f[i]).pow(2).mean()
            loss = 0.01 * le + lf
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 8 == 7:
            off = energy_and_force(potential, r_new.clone().requires_grad_())[1] - f_new
            print(epoch + 1, f"energies {le.item():.4f} forces {lf.item():.4f}",
                  f"of new clusters {off.pow(2).mean().item():.4f}")
    return potential, optimizer


def sick():
    return fit(energy_and_force)


def well():
    return fit(trainable_force)


if __name__ == "__main__":
    sick()
