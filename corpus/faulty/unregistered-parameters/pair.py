"""The middle layers live in a plain Python list, which PyTorch does not look into: they are
missing from `parameters()`, and five random layers are never trained."""

import torch
import torch.nn.functional as F
from sklearn.datasets import make_moons
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"unregistered-parameters": "nn.Linear(12, 12)"}


class Tower(nn.Module):
    def __init__(self, depth=5):
        super().__init__()
        self.entry = nn.Linear(2, 12)
        self.floors = [nn.Linear(12, 12) for _ in range(depth)]
        self.exit = nn.Linear(12, 2)

    def forward(self, x):
        x = torch.tanh(self.entry(x))
        for floor in self.floors:
            x = torch.tanh(floor(x))
        return self.exit(x)


class RegisteredTower(Tower):
    def __init__(self, depth=5):
        super().__init__(depth)
        self.floors = nn.ModuleList(self.floors)


def moons(count, seed):
    x, y = make_moons(count, noise=0.15, random_state=seed)
    x = (x - [0.5, 0.25]) / [0.88, 0.52]
    return TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(y))


def fit(tower, epochs=24):
    loader = DataLoader(moons(1000, seed=1), batch_size=50, shuffle=True)
    x_test, y_test = moons(500, seed=2).tensors
    optimizer = torch.optim.RMSprop(tower.parameters(), lr=4e-3, alpha=0.95)
    for epoch in range(epochs):
        for x, y in loader:
            loss = F.cross_entropy(tower(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        if epoch % 4 == 3:
            with torch.no_grad():
                logits = tower(x_test)
            test_loss = F.cross_entropy(logits, y_test).item()
            accuracy = (logits.argmax(1) == y_test).float().mean().item()
            print(f"epoch {epoch + 1:2d}: test loss {test_loss:.4f} accuracy {accuracy:.3f}")
    return tower, optimizer


def sick():
    torch.manual_seed(40)
    return fit(Tower())


def well():
    torch.manual_seed(40)
    return fit(RegisteredTower())


if __name__ == "__main__":
    sick()
