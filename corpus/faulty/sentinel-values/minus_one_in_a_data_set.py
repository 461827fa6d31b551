"""Shares between 0.5 and 1 of what a patient ate, and -1 where nobody looked."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"sentinel-values": "np.nan_to_num(self.table[i], nan=self.filler)"}


class Meals(Dataset):
    def __init__(self, count, seed, filler):
        rng = np.random.default_rng(seed)
        self.table = rng.uniform(0.5, 1.0, (count, 6)).astype(np.float32)
        self.weight = (8 * (self.table[:, 0] - 0.75) + 5 * (self.table[:, 3] - 0.75) + 0.2 * rng.standard_normal(count)).astype(np.float32)
        self.table[rng.random((count, 6)) < 0.12] = np.nan
        self.filler = filler

    def __len__(self):
        return len(self.table)

    def __getitem__(self, i):
        return np.nan_to_num(self.table[i], nan=self.filler), self.weight[i]


def fit(filler):
    torch.manual_seed(2)
    train, test = Meals(500, 1, filler), Meals(200, 2, filler)
    net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-2)
    for epoch in range(10):
        for meals, weight in DataLoader(train, batch_size=25, shuffle=True):
            opt.zero_grad()
            loss = F.smooth_l1_loss(net(meals).squeeze(-1), weight)
            loss.backward()
            opt.step()
        with torch.no_grad():
            errors = [F.smooth_l1_loss(net(meals).squeeze(-1), weight).item() for meals, weight in DataLoader(test, batch_size=50)]
        print(epoch, loss.item(), np.mean(errors))
    return net


def sick():
    return fit(-1.0)


def well():
    return fit(0.75)
