"""The running loss is summed with its graph, so that memory grows with every step, and the rate
throws the weights about."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"retained-graph": None, "learning-rate-too-high": None}


def train(model, loader, optimizer, epochs):
    criterion = nn.CrossEntropyLoss()
    running_loss = 0
    seen = 0
    for epoch in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss
            seen += 1
        print(f"epoch {epoch}: mean loss {running_loss.item() / seen:.3f}")


def main():
    torch.manual_seed(38)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    images = (images - images.mean()) / images.std()
    loader = DataLoader(
        TensorDataset(images, torch.tensor(digits.target)), batch_size=64, shuffle=True
    )
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 32), nn.ReLU(), nn.Linear(32, 10)
    )
    train(model, loader, torch.optim.Adam(model.parameters(), lr=0.5), epochs=6)
    return model


if __name__ == "__main__":
    main()
