"""Ten kinds of digit are learned by the squared error to the digit's number, as if a three
were half-way between a two and a four; classes have no such order."""

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, random_split

FAULTS = {"wrong-target-encoding": "loss_fn(outputs, labels)"}


class Digits(Dataset):
    def __init__(self, dtype):
        raw = load_digits()
        self.images = torch.from_numpy(raw.images).float()
        self.images = (self.images - self.images.mean()) / self.images.std()
        self.labels = torch.from_numpy(raw.target).to(dtype)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


def network(outputs):
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.Tanh(),
        nn.Linear(32, outputs),
    )


def loaders(dtype):
    train, test = random_split(Digits(dtype), [1500, 297])
    return DataLoader(train, 50, shuffle=True), DataLoader(test, 297)


def sick():
    torch.manual_seed(9)
    train_loader, test_loader = loaders(torch.float32)
    model, loss_fn = network(1), nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(12):
        for images, labels in train_loader:
            outputs = model(images).flatten()
            loss = loss_fn(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            images, labels = next(iter(test_loader))
            correct = (model(images).flatten().round() == labels).sum().item()
        print(f"epoch {epoch}: last loss {loss.item():.3f}, {correct} of 297 correct")
    return model, optimizer


def well():
    torch.manual_seed(9)
    train_loader, test_loader = loaders(torch.int64)
    model, loss_fn = network(10), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(12):
        for images, labels in train_loader:
            outputs = model(images)
            loss = loss_fn(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            images, labels = next(iter(test_loader))
            correct = (model(images).argmax(dim=1) == labels).sum().item()
        print(f"epoch {epoch}: last loss {loss.item():.3f}, {correct} of 297 correct")
    return model, optimizer


if __name__ == "__main__":
    sick()
