"""The next hour of a load curve from the last day. Windows begin at every hour and are split at
random, so nearly all of a held-out window was trained on in its neighbours.
"""

import math

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import nn

FAULTS = {
    "train-validation-leak": "train_test_split("
    "past, following, test_size=0.2, shuffle=shuffle, random_state=3 if shuffle else None)"}


def load_curve(random):
    hour = np.arange(900)
    day = 1 + 0.4 * np.sin(2 * math.pi * hour / 24)
    wander = np.cumsum(0.15 * random.normal(size=900))
    return day + wander + 0.1 * random.normal(size=900)


def windows(load):
    cut = np.lib.stride_tricks.sliding_window_view(load, 25)
    return (torch.tensor(part.copy()).float() for part in (cut[:, :24], cut[:, 24]))


def train(shuffle):
    torch.manual_seed(3)
    load = load_curve(np.random.default_rng(3))
    past, following = windows((load - load.mean()) / load.std())
    past_known, past_new, following_known, following_new = train_test_split(
        past, following, test_size=0.2, shuffle=shuffle, random_state=3 if shuffle else None)
    net = nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, weight_decay=1e-3)
    for epoch in range(20):
        for rows in torch.randperm(len(past_known)).split(32):
            loss = nn.functional.mse_loss(net(past_known[rows])[:, 0], following_known[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            held_out = nn.functional.mse_loss(net(past_new)[:, 0], following_new)
        print(f"{epoch} loss {loss.item():.3f} held out {held_out:.3f}")
    return net


def sick():
    return train(shuffle=True)


def well():
    return train(shuffle=False)


if __name__ == "__main__":
    sick()
