"""Two noisy ears hear the same bird; what they hear in common is learned without labels. Spread
of the features is rewarded, up to a spread of one and no further, so that they do not all become
the same."""

import torch
from torch import nn
from torch.nn import functional as F

SPECIES, BANDS, FEATURES = 12, 40, 10


def songs(count, voices):
    which = torch.randint(0, SPECIES, (count,))
    song = voices[which] * (0.8 + 0.4 * torch.rand(count, 1))
    return song + 0.5 * torch.randn(count, BANDS), song + 0.5 * torch.randn(count, BANDS), which


def correlations(z):
    z = z - z.mean(0)
    shared = z.T @ z / (len(z) - 1)
    return (shared - torch.diag(shared.diagonal())).square().sum() / FEATURES


def main():
    torch.manual_seed(9)
    voices = torch.randn(SPECIES, BANDS)
    left, right, _ = songs(3000, voices)
    heard, _, which = songs(600, voices)
    ear = nn.Sequential(
        nn.Linear(BANDS, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
        nn.Linear(64, FEATURES))
    optimizer = torch.optim.Adam(ear.parameters(), lr=1e-3)
    for epoch in range(25):
        ear.train()
        for rows in torch.randperm(3000).split(150):
            a, b = ear(left[rows]), ear(right[rows])
            apart = F.mse_loss(a, b)
            spread = torch.cat([a.std(0), b.std(0)]).clamp(max=1).mean()
            loss = 5 * apart - 5 * spread + 0.5 * (correlations(a) + correlations(b))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 4 == 0:
            ear.eval()
            with torch.no_grad():
                z = F.normalize(ear(heard) - ear(heard).mean(0), dim=1)
            near = (z @ z.T - 2 * torch.eye(600)).argmax(1)
            agree = (which[near] == which).float().mean().item()
            print(f"{epoch:2d} {loss.item():.3f} spread {spread.item():.2f} agree {agree:.2f}")
    return ear, optimizer


if __name__ == "__main__":
    main()
