"""Sales of shops from forty noisy figures each, one shop at a time: every step follows the noise of
a single shop, and the error leaps about without coming down."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"batch-too-small": "DataLoader(shops, batch_size=batch_size, shuffle=True)"}

SHOPS = 768


def sales():
    generator = torch.Generator().manual_seed(5)
    figures = torch.randn(SHOPS, 40, generator=generator)
    weights = torch.randn(40, generator=generator) / 40**0.5
    noise = 0.6 * torch.randn(SHOPS, generator=generator)
    return TensorDataset(figures, (figures @ weights + noise).unsqueeze(1))


def learn(batch_size, epochs):
    shops = sales()
    loader = DataLoader(shops, batch_size=batch_size, shuffle=True)
    model = nn.Linear(40, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.016)
    for epoch in range(epochs):
        total = 0.0
        for figures, sold in loader:
            loss = nn.functional.mse_loss(model(figures), sold)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(sold)
        print("epoch", epoch, "error", round(total / SHOPS, 3))
    return model, optimizer


def sick():
    torch.manual_seed(9)
    return learn(batch_size=1, epochs=3)


def well():
    torch.manual_seed(9)
    return learn(batch_size=32, epochs=20)


if __name__ == "__main__":
    sick()
