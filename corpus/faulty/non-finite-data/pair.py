"""A new feature divides one measurement by another that is zero in a few tumours. Zero by
zero is NaN, and the first batch that holds one of them destroys every weight."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"non-finite-data": "self(x)"}


def add_ratio(table):
    concavity, concave_points = table[:, 6], table[:, 7]
    with np.errstate(invalid="ignore"):
        ratio = concave_points / concavity
    return np.column_stack([table, ratio])


def add_safe_ratio(table):
    concavity, concave_points = table[:, 6], table[:, 7]
    ratio = concave_points / np.maximum(concavity, 1e-6)
    return np.column_stack([table, ratio])


def make_loaders(table, diagnosis):
    scaler = StandardScaler().fit(table[:400])
    x = torch.tensor(scaler.transform(table)).float()
    y = torch.tensor(diagnosis)
    train = TensorDataset(x[:400], y[:400])
    test = TensorDataset(x[400:], y[400:])
    return DataLoader(train, batch_size=16, shuffle=True), DataLoader(test, batch_size=169)


class Module(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.hidden = nn.Linear(inputs, 24)
        self.dropout = nn.Dropout(0.25)
        self.out = nn.Linear(24, 2)

    def forward(self, x):
        return self.out(self.dropout(F.relu(self.hidden(x))))

    def training_step(self, batch):
        x, y = batch
        return F.cross_entropy(self(x), y)

    def test_step(self, batch):
        x, y = batch
        return (self.forward(x).argmax(dim=1) == y).float().mean()


def fit(module, train_loader, test_loader, max_epochs=10):
    optimizer = torch.optim.SGD(module.parameters(), lr=0.02, momentum=0.9, nesterov=True)
    for epoch in range(max_epochs):
        module.train()
        for batch in train_loader:
            loss = module.training_step(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        module.eval()
        with torch.no_grad():
            accuracy = sum(module.test_step(batch) for batch in test_loader)
        print(f"epoch {epoch}: loss={loss:.3f} test_accuracy={accuracy:.3f}")
    return module, optimizer


def sick():
    torch.manual_seed(20)
    table, diagnosis = load_breast_cancer(return_X_y=True)
    loaders = make_loaders(add_ratio(table), diagnosis)
    return fit(Module(31), *loaders)


def well():
    torch.manual_seed(20)
    table, diagnosis = load_breast_cancer(return_X_y=True)
    loaders = make_loaders(add_safe_ratio(table), diagnosis)
    return fit(Module(31), *loaders)


if __name__ == "__main__":
    sick()
