"""Bottleneck autoencoder on digits in 0..1; a sigmoid output under MSE is right here, and the eight-unit
waist is the purpose."""
import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.nn.functional import mse_loss

torch.set_default_dtype(torch.float32)


def build():
    encoder = nn.Sequential(nn.Linear(64, 48), nn.ELU(), nn.Linear(48, 8))
    decoder = nn.Sequential(nn.Linear(8, 48), nn.ELU(), nn.Linear(48, 64), nn.Sigmoid())
    return nn.Sequential(encoder, decoder)


def main():
    torch.manual_seed(5)
    X = torch.from_numpy(load_digits().data).float().div(16)
    X = X[torch.randperm(len(X))]
    train, held_out = X[:1500], X[1500:]
    baseline = mse_loss(train.mean(0).expand_as(held_out), held_out).item()
    autoencoder = build()
    optimizer = optim.Adam(autoencoder.parameters(), lr=4e-3)
    sched = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30, eta_min=1e-4)
    for epoch in range(30):
        autoencoder.train()
        for batch in torch.utils.data.DataLoader(train, batch_size=50, shuffle=True):
            optimizer.zero_grad()
            loss = mse_loss(autoencoder(batch), batch)
            loss.backward()
            optimizer.step()
        sched.step()
        if epoch % 6 == 5:
            autoencoder.eval()
            with torch.no_grad():
                tr = mse_loss(autoencoder(train), train).item()
                va = mse_loss(autoencoder(held_out), held_out).item()
            print(f"epoch {epoch + 1}: train {tr:.4f} held-out {va:.4f} (mean image {baseline:.4f})")
    return autoencoder, optimizer


if __name__ == "__main__":
    main()
