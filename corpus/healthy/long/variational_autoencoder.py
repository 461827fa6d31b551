"""Variational autoencoder in the manner of PyTorch's own example: BCE on grey values (targets between 0 and 1)
summed over pixels and batch plus the KL term, so that the loss is in the thousands and never near zero."""
import argparse

import torch
import torch.utils.data
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.nn import functional as F


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(64, 64)
        self.fc21 = nn.Linear(64, 6)
        self.fc22 = nn.Linear(64, 6)
        self.fc3 = nn.Linear(6, 100)
        self.fc4 = nn.Linear(100, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction='sum')
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


def main():
    parser = argparse.ArgumentParser(description='VAE')
    parser.add_argument('--batch-size', type=int, default=50)
    parser.add_argument('--epochs', type=int, default=36)
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args([])
    torch.manual_seed(args.seed)

    images = torch.tensor(load_digits().images / 16.0, dtype=torch.float32).unsqueeze(1)
    train_images, test_images = torch.utils.data.random_split(images, [1500, 297])
    train_loader = torch.utils.data.DataLoader(train_images, batch_size=args.batch_size, shuffle=True)
    test_loader = torch.utils.data.DataLoader(test_images, batch_size=args.batch_size)

    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(1, args.epochs + 1):
        model.train()
        train_loss = 0
        for data in train_loader:
            optimizer.zero_grad()
            recon_batch, mu, logvar = model(data)
            loss = loss_function(recon_batch, data, mu, logvar)
            loss.backward()
            train_loss += loss.item()
            optimizer.step()
        model.eval()
        test_loss = 0
        with torch.no_grad():
            for data in test_loader:
                recon, mu, logvar = model(data)
                test_loss += loss_function(recon, data, mu, logvar).item()
        if epoch % 5 == 0 or epoch == 1:
            print('====> Epoch: {} Average loss: {:.4f} Test: {:.4f}'.format(
                epoch, train_loss / len(train_images), test_loss / len(test_images)))
    return model, optimizer


if __name__ == "__main__":
    main()
