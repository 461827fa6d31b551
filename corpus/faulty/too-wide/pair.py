"""Concrete strength from sixty mixtures: three thousand units a layer learn every mixture by heart,
and the held-out mixtures are predicted worse and worse."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"too-wide": "Strength(width)"}


class Strength(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mix = nn.Linear(6, width)
        self.cure = nn.Linear(width, width)
        self.test = nn.Linear(width, 1)

    def forward(self, amounts):
        return self.test(torch.relu(self.cure(torch.relu(self.mix(amounts))))).squeeze(1)


def mixtures(n, rng):
    amounts = rng.normal(size=(n, 6))
    strength = np.tanh(amounts[:, 0]) + 0.5 * amounts[:, 1] + rng.normal(size=n) * 0.6
    return torch.tensor(amounts).float(), torch.tensor(strength / 1.1).float()


def fit(width, rate, epochs):
    rng = np.random.default_rng(3)
    loader = DataLoader(TensorDataset(*mixtures(60, rng)), batch_size=12, shuffle=True)
    x_held, y_held = mixtures(400, rng)
    criterion = nn.MSELoss()
    net = Strength(width)
    adam = torch.optim.Adam(net.parameters(), lr=rate)
    history = []
    for _ in range(epochs):
        for x, y in loader:
            adam.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            adam.step()
        with torch.no_grad():
            history.append(criterion(net(x_held), y_held).item())
    print("held-out error", [round(value, 3) for value in history[::5]])
    return net, adam


def sick():
    torch.manual_seed(0)
    return fit(width=512, rate=1e-3, epochs=60)


def well():
    torch.manual_seed(0)
    return fit(width=4, rate=1e-2, epochs=30)


if __name__ == "__main__":
    sick()
