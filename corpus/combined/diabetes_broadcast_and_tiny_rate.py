"""A regression whose predictions have shape (N, 1) and whose targets have shape (N,), trained at a
rate of one millionth."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"loss-broadcast": None, "learning-rate-too-low": None}


def load():
    x, y = load_diabetes(return_X_y=True, scaled=False)
    x = torch.tensor(x, dtype=torch.float32)
    y = torch.tensor(y, dtype=torch.float32)
    return (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()


def squared_error(prediction, target):
    return ((prediction - target) ** 2).mean()


def main():
    torch.manual_seed(1)
    x, y = load()
    loader = DataLoader(TensorDataset(x[:340], y[:340]), batch_size=20, shuffle=True)
    net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=1e-6)
    for epoch in range(40):
        for xb, yb in loader:
            opt.zero_grad()
            loss = squared_error(net(xb), yb)
            loss.backward()
            opt.step()
        if epoch % 5 == 4:
            with torch.no_grad():
                error = squared_error(net(x[340:]).squeeze(1), y[340:])
            print(f"epoch {epoch + 1}: test error {error:.3f}")
    return net


if __name__ == "__main__":
    main()
