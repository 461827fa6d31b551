"""A digit classifier is trained by SGD at a rate that worked for somebody's linear
model; every step throws the weights far past the valley, and the loss explodes."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"learning-rate-too-high": "torch.optim.SGD(model.parameters(), lr=30.0)"}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 64)
        self.fc2 = nn.Linear(64, 32)
        self.fc3 = nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def get_loaders():
    images, labels = load_digits(return_X_y=True)
    x = torch.tensor(images, dtype=torch.float32)
    y = torch.tensor(labels)
    x_train, x_val, y_train, y_val = train_test_split(
        x, y, test_size=0.25, random_state=0, stratify=y
    )
    mean, std = x_train.mean(dim=0), x_train.std(dim=0) + 0.1
    train_set = TensorDataset((x_train - mean) / std, y_train)
    val_set = TensorDataset((x_val - mean) / std, y_val)
    return DataLoader(train_set, batch_size=32, shuffle=True), DataLoader(val_set, 128)


def train(model, loader, optimizer):
    model.train()
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


def validate(model, loader):
    model.eval()
    correct = count = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(dim=1) == y).sum().item()
            count += len(y)
    return correct / count


def sick():
    torch.manual_seed(0)
    train_loader, val_loader = get_loaders()
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=30.0)
    for epoch in range(1, 13):
        loss = train(model, train_loader, optimizer)
        accuracy = validate(model, val_loader)
        print(f"epoch {epoch:2d}  loss {loss:.4g}  val accuracy {accuracy:.3f}")
    return model, optimizer


def well():
    torch.manual_seed(0)
    train_loader, val_loader = get_loaders()
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for epoch in range(1, 13):
        loss = train(model, train_loader, optimizer)
        accuracy = validate(model, val_loader)
        print(f"epoch {epoch:2d}  loss {loss:.4g}  val accuracy {accuracy:.3f}")
    return model, optimizer


if __name__ == "__main__":
    sick()
