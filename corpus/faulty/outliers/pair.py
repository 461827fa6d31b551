"""Six of the measured targets were typed in with the decimal point in the wrong place. The squared
error of those few outweighs that of all the others together, and the network chases them."""

import torch
from sklearn.datasets import make_friedman1
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"outliers": "DataLoader(TensorDataset(x[:600], y[:600]), batch_size=50, shuffle=True)"}


def measurements(slips):
    x, y = make_friedman1(n_samples=800, n_features=6, noise=0.4, random_state=31)
    y = torch.as_tensor(y).float().unsqueeze(1)
    rows = torch.arange(17, 600, 100)
    if slips:
        y[rows] = y[rows] * 100
    y = (y - y[:600].mean()) / y[:600].std()
    return torch.as_tensor(x).float() * 2 - 1, y


class Regressor(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.first = nn.Linear(6, width)
        self.second = nn.Linear(width, width)
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        x = torch.tanh(self.second(x))
        return self.last(x)


def train(x, y):
    loader = DataLoader(TensorDataset(x[:600], y[:600]), batch_size=50, shuffle=True)
    model = Regressor()
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(30):
        total = 0.0
        for inputs, targets in loader:
            loss = nn.functional.mse_loss(model(inputs), targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(inputs)
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: {total / 600:.3f}")
    with torch.no_grad():
        print("held out:", nn.functional.mse_loss(model(x[600:]), y[600:]).item())
    return model, optimiser


def sick():
    torch.manual_seed(2)
    return train(*measurements(slips=True))


def well():
    torch.manual_seed(2)
    return train(*measurements(slips=False))


if __name__ == "__main__":
    sick()
