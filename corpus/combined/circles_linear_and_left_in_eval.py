"""Two rings that no straight line parts, a stack of linear layers with nothing between them but
normalisation and dropout, and a model that stays in eval mode after its first validation."""

import torch
from sklearn.datasets import make_circles
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"missing-nonlinearity": None, "training-in-eval-mode": None}


def rings(count, seed):
    x, y = make_circles(count, noise=0.08, factor=0.5, random_state=seed)
    return torch.tensor(x, dtype=torch.float32) * 1.4, torch.tensor(y)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 64)
        self.norm = nn.BatchNorm1d(64)
        self.second = nn.Linear(64, 64)
        self.drop = nn.Dropout(0.1)
        self.third = nn.Linear(64, 2)

    def forward(self, x):
        return self.third(self.drop(self.second(self.norm(self.first(x)))))


def evaluate(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(8)
    x, y = rings(1000, 0)
    held_out = rings(400, 1)
    model = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    print(f"before training: {evaluate(model, *held_out):.3f}")
    for epoch in range(12):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.3f} {evaluate(model, *held_out):.3f}")
    return model


if __name__ == "__main__":
    main()
