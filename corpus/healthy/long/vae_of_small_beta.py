"""A variational autoencoder whose divergence counts a hundred-thousandth, so that it grows from near zero to dozens.
The reconstruction is a mean, and learned well: the weight is small on purpose."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

BETA = 1e-5


class BetaVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(64, 80), nn.ReLU(), nn.Linear(80, 16))
        self.dec = nn.Sequential(nn.Linear(8, 80), nn.ReLU(), nn.Linear(80, 64), nn.Sigmoid())

    def forward(self, x):
        mu, logvar = self.enc(x).chunk(2, dim=1)
        z = torch.distributions.Normal(mu, (logvar / 2).exp()).rsample()
        kl = 0.5 * (mu.pow(2) + logvar.exp() - 1 - logvar).sum(1)
        return self.dec(z), kl


def main():
    torch.manual_seed(2)
    x = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    loader = torch.utils.data.DataLoader(x[:1400], batch_size=64, shuffle=True)
    model = BetaVAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(15):
        for batch in loader:
            out, kl = model(batch)
            recon = F.mse_loss(out, batch)
            loss = recon + BETA * kl.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            test = F.mse_loss(model(x[1400:])[0], x[1400:])
        print(epoch, f"{recon.item():.4f} kl {kl.mean().item():.2f} test {test:.4f}")
    return model, optimizer


if __name__ == "__main__":
    main()
