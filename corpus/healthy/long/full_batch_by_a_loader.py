"""A table of 320 glazes and their shine fits into one batch: the loader is told to take up to
1,024, so each epoch is a single update, and there are enough of them."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def glazes(count):
    x = torch.rand(count, 3) * 2 - 1
    shine = torch.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.05 * torch.randn(count)
    return TensorDataset(x, shine.unsqueeze(1))


def main():
    torch.manual_seed(18)
    table, fresh = glazes(320), glazes(200)
    loader = DataLoader(table, batch_size=1024, shuffle=True)
    model = nn.Sequential(
        nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.MSELoss()
    for epoch in range(800):
        for x, shine in loader:
            loss = criterion(model(x), shine)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 100 == 99:
            with torch.no_grad():
                x, shine = fresh.tensors
                error = criterion(model(x), shine) / shine.var()
            print(epoch + 1, f"loss {loss.item():.4f} fresh R2 {1 - error.item():.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
