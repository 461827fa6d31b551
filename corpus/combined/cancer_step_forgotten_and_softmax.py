"""A loop that never calls step, around a network that ends in a softmax before cross-entropy."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"step-never-called": None, "output-does-not-fit-loss": None}


class Probabilities(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, x):
        return nn.functional.softmax(self.net(x), dim=-1)


def main():
    torch.manual_seed(44)
    x, y = load_breast_cancer(return_X_y=True)
    data = TensorDataset(torch.tensor(scale(x), dtype=torch.float32), torch.tensor(y))
    model = Probabilities()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(8):
        for xb, yb in DataLoader(data, batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
        print(f"epoch {epoch}: {loss.item():.3f}")
    return model


if __name__ == "__main__":
    main()
