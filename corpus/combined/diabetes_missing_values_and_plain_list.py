"""A few missing values came along as NaN, and the hidden layers sit in a plain list, where no
optimizer finds them."""

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"non-finite-data": None, "unregistered-parameters": None}


class Stack(nn.Module):
    def __init__(self, inputs, width, depth):
        super().__init__()
        self.entry = nn.Linear(inputs, width)
        self.hidden = [nn.Linear(width, width) for _ in range(depth)]
        self.exit = nn.Linear(width, 1)

    def forward(self, x):
        x = torch.relu(self.entry(x))
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.exit(x).squeeze(-1)


def load():
    x, y = load_diabetes(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    missing = np.random.default_rng(0).random(x.shape) < 0.02
    x[missing] = np.nan
    y = (y - y.mean()) / y.std()
    return TensorDataset(torch.tensor(x).float(), torch.tensor(y).float())


def main():
    torch.manual_seed(36)
    loader = DataLoader(load(), batch_size=32, shuffle=True)
    model = Stack(10, 32, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(10):
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.3f}")
    return model


if __name__ == "__main__":
    main()
