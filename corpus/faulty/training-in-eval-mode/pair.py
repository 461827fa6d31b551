"""A look at the untrained score puts the network into eval mode, and nothing puts it back:
batch normalisation divides by its initial guess, and the signal fades layer by layer."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"training-in-eval-mode": "model.eval()"}


def block(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU())


def deep_net():
    return nn.Sequential(block(64, 40), *(block(40, 40) for _ in range(7)), nn.Linear(40, 10))


def data(batch_size=60):
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32)
    x = (x - x.mean()) / x.std()
    whole = TensorDataset(x, torch.tensor(digits.target))
    train, val = torch.utils.data.random_split(whole, [1440, 357])
    return DataLoader(train, batch_size, shuffle=True), DataLoader(val, batch_size=357)


def score(model, loader):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            return (model(x).argmax(dim=1) == y).float().mean().item()


def train_epoch(model, loader, criterion, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    return loss.item()


def sick():
    torch.manual_seed(19)
    train_loader, val_loader = data()
    model = deep_net()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    print(f"untrained: {score(model, val_loader):.3f}")
    for epoch in range(10):
        loss = train_epoch(model, train_loader, criterion, optimizer)
        print(f"epoch {epoch + 1}: loss {loss:.4f}, accuracy {score(model, val_loader):.3f}")
    return model, optimizer


def well():
    torch.manual_seed(19)
    train_loader, val_loader = data()
    model = deep_net()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    print(f"untrained: {score(model, val_loader):.3f}")
    for epoch in range(10):
        model.train()
        loss = train_epoch(model, train_loader, criterion, optimizer)
        print(f"epoch {epoch + 1}: loss {loss:.4f}, accuracy {score(model, val_loader):.3f}")
    return model, optimizer


if __name__ == "__main__":
    sick()
