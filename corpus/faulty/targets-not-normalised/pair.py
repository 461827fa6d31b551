"""The impedance of a circuit comes in ohms, many hundreds of them; a network that starts
out answering about zero has to climb there in steps of a thousandth."""

import torch
from sklearn.datasets import make_friedman2
from torch import nn

FAULTS = {"targets-not-normalised": "mse(model(inputs), targets)"}


def measurements():
    circuit, impedance = make_friedman2(n_samples=1500, noise=20.0, random_state=5)
    x = torch.tensor(circuit, dtype=torch.float32)
    x = (x - x[:1100].mean(0)) / x[:1100].std(0)
    return x, torch.tensor(impedance, dtype=torch.float32).reshape(-1, 1)


def mse(prediction, target):
    return (prediction - target).square().mean()


def regressor():
    return nn.Sequential(
        nn.Linear(4, 64),
        nn.GELU(),
        nn.LayerNorm(64),
        nn.Linear(64, 32),
        nn.GELU(),
        nn.Linear(32, 1),
    )


def epoch_of(model, optimizer, x, y, batch_size=44):
    model.train()
    for chosen in torch.randperm(len(x)).split(batch_size):
        inputs, targets = x[chosen], y[chosen]
        optimizer.zero_grad()
        loss = mse(model(inputs), targets)
        loss.backward()
        optimizer.step()
    return loss.item()


def r_squared(model, x, y):
    model.eval()
    with torch.no_grad():
        return 1 - (mse(model(x), y) / y.var(unbiased=False)).item()


def fit(model, x, y):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-3)
    for epoch in range(12):
        loss = epoch_of(model, optimizer, x[:1100], y[:1100])
        if (epoch + 1) % 3 == 0:
            score = r_squared(model, x[1100:], y[1100:])
            print(f"after epoch {epoch + 1}: loss {loss:.4g}, held-out R2 {score:.3f}")
    return model, optimizer


def sick():
    torch.manual_seed(10)
    x, ohms = measurements()
    return fit(regressor(), x, ohms)


def well():
    torch.manual_seed(10)
    x, ohms = measurements()
    return fit(regressor(), x, (ohms - ohms[:1100].mean()) / ohms[:1100].std())


if __name__ == "__main__":
    sick()
