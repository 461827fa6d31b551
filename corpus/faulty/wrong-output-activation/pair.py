"""The targets of a regression lie on both sides of zero, but the network ends in a ReLU:
whatever it learns, it can never answer with a negative number."""

import torch
from sklearn.datasets import make_friedman1
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"wrong-output-activation": "nn.ReLU()"}


def tables() -> tuple[TensorDataset, TensorDataset]:
    x, y = make_friedman1(n_samples=1200, n_features=6, noise=0.3, random_state=4)
    x = (x - x[:900].mean(axis=0)) / x[:900].std(axis=0)
    y = (y - y[:900].mean()) / y[:900].std()
    x, y = torch.tensor(x).float(), torch.tensor(y).float().unsqueeze(1)
    return TensorDataset(x[:900], y[:900]), TensorDataset(x[900:], y[900:])


def train_one_epoch(model: nn.Module, loader: DataLoader, optimizer) -> float:
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.huber_loss(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    return total / len(loader.dataset)


@torch.no_grad()
def explained(model: nn.Module, data: TensorDataset) -> float:
    x, y = data.tensors
    residual: Tensor = model(x) - y
    return 1 - (residual.var() + residual.mean() ** 2).item() / y.var().item()


def experiment(model: nn.Module):
    train_set, test_set = tables()
    loader = DataLoader(train_set, batch_size=30, shuffle=True)
    optimizer = torch.optim.NAdam(model.parameters(), lr=4e-3)
    for epoch in range(1, 17):
        loss = train_one_epoch(model, loader, optimizer)
        if epoch % 4 == 0:
            print(f"epoch {epoch:2d} huber {loss:.4f} explained {explained(model, test_set):.3f}")
    return model, optimizer


def sick():
    torch.manual_seed(31)
    model = nn.Sequential(
        nn.Linear(6, 48),
        nn.SiLU(),
        nn.Linear(48, 48),
        nn.SiLU(),
        nn.Linear(48, 1),
        nn.ReLU(),
    )
    return experiment(model)


def well():
    torch.manual_seed(31)
    model = nn.Sequential(
        nn.Linear(6, 48),
        nn.SiLU(),
        nn.Linear(48, 48),
        nn.SiLU(),
        nn.Linear(48, 1),
    )
    return experiment(model)


if __name__ == "__main__":
    sick()
