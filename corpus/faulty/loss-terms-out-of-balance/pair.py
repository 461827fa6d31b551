"""A variational autoencoder of digits. The reconstruction is a mean over pixels and samples, the divergence a sum over both."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

FAULTS = {"loss-terms-out-of-balance": "recon + kl"}


class Autoencoder(nn.Module):
    def __init__(self, latent=6):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 96), nn.ReLU())
        self.mu, self.logvar = nn.Linear(96, latent), nn.Linear(96, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, 96), nn.ReLU(), nn.Linear(96, 64), nn.Sigmoid())

    def forward(self, x):
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        return self.decoder(z), mu, logvar


def main(reduction):
    torch.manual_seed(5)
    digits = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    train, test = digits[:1500], digits[1500:]
    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(20):
        model.train()
        for rows in torch.randperm(len(train)).split(50):
            images = train[rows]
            output, mu, logvar = model(images)
            recon = F.binary_cross_entropy(output, images, reduction=reduction)
            kl = -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum()
            loss = recon + kl
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            error = F.binary_cross_entropy(model(test)[0], test)
        print(epoch, f"{recon:.4f} {kl:.4f} test {error:.4f}")
    return model, optimizer


def sick():
    return main("mean")


def well():
    return main("sum")


if __name__ == "__main__":
    sick()
