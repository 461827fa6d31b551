"""Linear layers in a row where the class is whether two signs agree, and StepLR, meant per epoch,
stepped per batch: the rate is halved every five batches."""

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"missing-nonlinearity": None, "schedule-mistake": None}


def build():
    layers = []
    sizes = [2, 64, 64, 2]
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers.append(nn.Linear(inputs, outputs))
    return nn.Sequential(*layers)


def main():
    torch.manual_seed(34)
    x = torch.randn(800, 2)
    y = (x[:, 0] * x[:, 1] > 0).long()
    loader = DataLoader(TensorDataset(x, y), batch_size=40, shuffle=True)
    model = build()
    optimizer = optim.SGD(model.parameters(), lr=0.2)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(20):
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            scheduler.step()
        with torch.no_grad():
            print(f"epoch {epoch}: {(model(x).argmax(1) == y).float().mean().item():.3f}")
    return model


if __name__ == "__main__":
    main()
