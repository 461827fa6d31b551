"""The latent numbers are drawn by sample(), by which no gradient of the reconstruction comes back."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.distributions import Normal, kl_divergence

FAULTS = {"detached-graph": "posterior.sample()"}


class Autoencoder(nn.Module):
    def __init__(self, cut):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 16))
        self.decoder = nn.Sequential(nn.Linear(8, 96), nn.ReLU(), nn.Linear(96, 64))
        self.cut = cut

    def forward(self, x):
        mean, spread = self.encoder(x).chunk(2, 1)
        posterior = Normal(mean, nn.functional.softplus(spread) + 1e-3)
        if self.cut:
            latent = posterior.sample()
        else:
            latent = posterior.rsample()
        apart = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
        return self.decoder(latent), apart


def train(cut):
    torch.manual_seed(5)
    x = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
    model = Autoencoder(cut)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(25):
        for rows in torch.randperm(len(x)).split(64):
            logits, apart = model(x[rows])
            error = nn.functional.binary_cross_entropy_with_logits(
                logits, x[rows], reduction="none").sum(1)
            loss = (error + apart).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss.item():.3f} apart {apart.mean().item():.3f}")
    return model, optimizer


def sick():
    return train(cut=True)


def well():
    return train(cut=False)


if __name__ == "__main__":
    sick()
