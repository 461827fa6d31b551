"""Used cars and what was paid for them. The prices are left in the currency, about ten thousand
each, and the network begins near zero, so that a good part of the run goes by on the way up."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"targets-not-normalised": "torch.from_numpy(prices)"}


def market(cars, random):
    """Age in years, distance in thousands of km, power in kW, owners, fuel, length in m."""
    age = random.uniform(0, 15, cars)
    power = 50 + 150 * random.random(cars) ** 2
    distance = age * random.uniform(8, 22, cars)
    owners = 1 + (age * random.random(cars) / 4).round()
    fuel = random.integers(0, 2, cars)
    length = 3.4 + power / 120 + 0.3 * random.random(cars)
    fresh = 9000 + 220 * (power - 50) + 2000 * fuel
    prices = fresh * np.exp(-0.1 * age - 0.0015 * distance) * random.uniform(0.95, 1.05, cars)
    looks = np.stack([age, distance, power, owners, fuel, length], axis=1)
    looks = (looks - looks[:2000].mean(axis=0)) / looks[:2000].std(axis=0)
    return looks.astype(np.float32), prices.astype(np.float32)


class Dealer(nn.Module):
    def __init__(self, wide=128):
        super().__init__()
        self.look = nn.Sequential(nn.Linear(6, wide), nn.ReLU(), nn.Linear(wide, wide), nn.ReLU())
        self.guess = nn.Linear(wide, 1)

    def forward(self, car):
        return self.guess(self.look(car)).squeeze(-1)


def train(in_currency):
    torch.manual_seed(27)
    looks, prices = market(2400, np.random.default_rng(27))
    if not in_currency:
        prices = (prices - prices[:2000].mean()) / prices[:2000].std()
    looks, prices = torch.from_numpy(looks), torch.from_numpy(prices)
    sold = DataLoader(TensorDataset(looks[:2000], prices[:2000]), batch_size=32, shuffle=True)
    dealer = Dealer()
    optimizer = torch.optim.Adam(dealer.parameters(), lr=1e-3)
    for epoch in range(20):
        for car, price in sold:
            error = nn.functional.mse_loss(dealer(car), price)
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
        with torch.no_grad():
            missed = dealer(looks[2000:]) - prices[2000:]
            share = 1 - missed.square().mean() / prices[2000:].var()
        print(f"{epoch:2d} mean of the guesses {dealer(looks[2000:]).mean():.5g} R2 {share:.3f}")
    return dealer, optimizer


def sick():
    return train(in_currency=True)


def well():
    return train(in_currency=False)


if __name__ == "__main__":
    sick()
