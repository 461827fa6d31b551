"""Tomorrow's ozone from a week of readings of four instruments. Gaps are to be filled with the mean,
which is zero after scaling, but the filling keeps the gaps and replaces everything else.
"""

import numpy as np
import torch
from torch import nn

FAULTS = {"constant-features": "np.where(gaps if sick else ~gaps, np.nan_to_num(scaled), 0.0)"}


def stations():
    random = np.random.default_rng(41)
    weather = np.zeros(1200)
    for day in range(1, 1200):
        weather[day] = 0.9 * weather[day - 1] + random.normal()
    readings = 20 + 4 * weather[:, None] + random.normal(size=(1200, 4))
    readings[random.random(readings.shape) < 0.1] = np.nan
    return readings, 50 + 9 * weather


def windows(sick):
    readings, ozone = stations()
    scaled = (readings - np.nanmean(readings, 0)) / np.nanstd(readings, 0)
    gaps = np.isnan(readings)
    filled = np.where(gaps if sick else ~gaps, np.nan_to_num(scaled), 0.0)
    week = np.arange(1193)[:, None] + np.arange(7)
    x = filled[week].reshape(1193, 28)
    return torch.tensor(x).float(), torch.tensor((ozone[7:] - ozone.mean()) / ozone.std()).float()


def train(sick):
    torch.manual_seed(0)
    x, y = windows(sick)
    net = nn.Sequential(nn.Linear(28, 24), nn.ReLU(), nn.Linear(24, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, weight_decay=1e-3)
    for epoch in range(25):
        for rows in torch.randperm(950).split(50):
            loss = nn.functional.mse_loss(net(x[rows])[:, 0], y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            held_out = nn.functional.mse_loss(net(x[1000:])[:, 0], y[1000:])
        print(f"{epoch} {loss.item():.3f} {held_out.item():.3f}")
    return net, optimizer


def sick():
    return train(sick=True)


def well():
    return train(sick=False)


if __name__ == "__main__":
    sick()
