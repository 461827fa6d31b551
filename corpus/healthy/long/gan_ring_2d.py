"""Small GAN on eight Gaussians in a ring. Both losses hover without falling, the discriminator's near 2 ln 2:
that is the equilibrium; the samples' distance to the modes shows that the generator learns."""
import math

import torch
import torch.nn as nn

LATENT = 4


def real_samples(n):
    k = torch.randint(0, 8, (n,)).float()
    centres = torch.stack([torch.cos(k * math.pi / 4), torch.sin(k * math.pi / 4)], dim=1) * 1.5
    return centres + 0.15 * torch.randn(n, 2)


def mlp(n_in, n_out, width=64):
    return nn.Sequential(
        nn.Linear(n_in, width), nn.LeakyReLU(0.2),
        nn.Linear(width, width), nn.LeakyReLU(0.2),
        nn.Linear(width, n_out),
    )


def quality(generator):
    """Mean distance of samples to the nearest mode, and how many of the modes are hit."""
    with torch.no_grad():
        s = generator(torch.randn(1000, LATENT))
    a = torch.arange(8) * math.pi / 4
    d = torch.cdist(s, torch.stack([a.cos(), a.sin()], 1) * 1.5)
    near = d.min(1)
    hits = torch.bincount(near.indices[near.values < 0.35], minlength=8)
    return near.values.mean().item(), int((hits > 20).sum())


def main():
    torch.manual_seed(4)
    G, D = mlp(LATENT, 2), mlp(2, 1)
    opt_g = torch.optim.Adam(G.parameters(), lr=2e-3, betas=(0.5, 0.9))
    opt_d = torch.optim.Adam(D.parameters(), lr=2e-3, betas=(0.5, 0.9))
    bce = nn.BCEWithLogitsLoss()
    batch = 128
    ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)
    print("start: distance %.3f modes %d" % quality(G))
    for it in range(700):
        # discriminator
        fake = G(torch.randn(batch, LATENT)).detach()
        loss_d = bce(D(real_samples(batch)), ones) + bce(D(fake), zeros)
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()
        # generator
        loss_g = bce(D(G(torch.randn(batch, LATENT))), ones)
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
        if it % 100 == 99:
            print(f"{it + 1}: D {loss_d.item():.3f} G {loss_g.item():.3f}", "distance %.3f modes %d" % quality(G))
    return G, D, opt_g, opt_d


if __name__ == "__main__":
    main()
