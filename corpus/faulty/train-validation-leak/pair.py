"""Training and validation rows are drawn independently of one another, so a part of the
validation set is also in the training set."""

import random

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

FAULTS = {"train-validation-leak": "model(images)"}


class Digits(Dataset):
    def __init__(self):
        bunch = load_digits()
        self.images = torch.from_numpy(bunch.images).float().div(8).sub(1).unsqueeze(1)
        self.labels = torch.from_numpy(bunch.target)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index], self.labels[index]


def build():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(64, 10),
    )


def accuracy(model, loader):
    model.eval()
    hits = total = 0
    with torch.no_grad():
        for images, labels in loader:
            hits += (model(images).argmax(1) == labels).sum().item()
            total += len(labels)
    return hits / total


def main(train_rows, val_rows):
    data = Digits()
    train = DataLoader(Subset(data, train_rows), batch_size=32, shuffle=True)
    val = DataLoader(Subset(data, val_rows), batch_size=128)
    model = build()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for epoch in range(1, 8):
        model.train()
        for images, labels in train:
            loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: validation accuracy {accuracy(model, val):.3f}")
    return model, optimizer


def sick():
    torch.manual_seed(0)
    rng = random.Random(40)
    rows = range(1797)
    return main(rng.sample(rows, 1100), rng.sample(rows, 360))


def well():
    torch.manual_seed(0)
    rng = random.Random(40)
    rows = rng.sample(range(1797), 1460)
    return main(rows[:1100], rows[1100:])


if __name__ == "__main__":
    sick()
