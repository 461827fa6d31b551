"""Nine sigmoid layers in a row: each lets through at most a quarter of the gradient, so
the first layers of this tumour classifier hear nothing and the loss stays flat."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"vanishing-gradients": "nn.Linear(30, 32)"}


class Tumours(Dataset):
    def __init__(self, train):
        data = load_breast_cancer()
        rows = np.random.default_rng(0).permutation(len(data.data))
        train_rows, val_rows = rows[:400], rows[400:]
        mean = data.data[train_rows].mean(axis=0)
        std = data.data[train_rows].std(axis=0)
        chosen = train_rows if train else val_rows
        self.x = ((data.data[chosen] - mean) / std).astype(np.float32)
        self.y = data.target[chosen].astype(np.float32)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        return self.x[index], self.y[index]


class DeepClassifier(nn.Module):
    def __init__(self, activation, depth=9):
        super().__init__()
        self.stem = nn.Linear(30, 32)
        self.hidden = nn.ModuleList(nn.Linear(32, 32) for _ in range(depth - 1))
        self.activation = activation()
        self.head = nn.Linear(32, 1)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_normal_(parameter)
            else:
                nn.init.zeros_(parameter)

    def forward(self, x):
        x = self.activation(self.stem(x))
        for layer in self.hidden:
            x = self.activation(layer(x))
        return self.head(x).squeeze(-1)


def fit(net, optimizer, epochs=9):
    loader = DataLoader(Tumours(train=True), batch_size=20, shuffle=True)
    held_out = DataLoader(Tumours(train=False), batch_size=64)
    for epoch in range(epochs):
        net.train()
        for x, y in loader:
            loss = F.binary_cross_entropy_with_logits(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        net.eval()
        val_loss = right = 0.0
        with torch.no_grad():
            for x, y in held_out:
                logits = net(x)
                val_loss += F.binary_cross_entropy_with_logits(logits, y, reduction="sum").item()
                right += ((logits > 0) == (y == 1)).sum().item()
        size = len(held_out.dataset)
        if (epoch + 1) % 3 == 0:
            print(epoch + 1, f"val loss {val_loss / size:.4f}, acc {right / size:.3f}")


def sick():
    torch.manual_seed(11)
    net = DeepClassifier(nn.Sigmoid)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    fit(net, optimizer)
    return net, optimizer


def well():
    torch.manual_seed(11)
    net = DeepClassifier(nn.ReLU)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    fit(net, optimizer)
    return net, optimizer


if __name__ == "__main__":
    sick()
