"""A simulator makes fresh samples in two worker processes, but both hold a copy of the same
generator in the same state: they deliver the same few samples, epoch after epoch."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, get_worker_info

FAULTS = {"identical-worker-randomness": "DataLoader(simulator, batch_size=16, num_workers=2)"}

EPOCHS = 24


class Simulator(Dataset):
    def __init__(self, length):
        self.length = length
        self.rng = np.random.default_rng(0)

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        x = self.rng.standard_normal(6).astype(np.float32)
        y = np.sin(2 * x[0]) + x[1] * x[2] + np.abs(x[3]) - 0.8 + 0.1 * self.rng.standard_normal()
        return x, np.float32(y / 1.36)


def reseed(worker):
    get_worker_info().dataset.rng = np.random.default_rng(torch.initial_seed())


def surrogate():
    return nn.Sequential(
        nn.Linear(6, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 1)
    )


def training(loader):
    test_simulator = Simulator(1000)
    test_simulator.rng = np.random.default_rng(1)
    x_test, y_test = next(iter(DataLoader(test_simulator, batch_size=1000)))
    model = surrogate()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(1, EPOCHS + 1):
        total = 0.0
        for x, y in loader:
            loss = nn.functional.smooth_l1_loss(model(x).squeeze(1), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / len(loader)
        with torch.no_grad():
            test_loss = nn.functional.smooth_l1_loss(model(x_test).squeeze(1), y_test)
        if epoch % 4 == 0:
            print(f"epoch {epoch}: train {total:.4f}, test {test_loss:.4f}")
    return model, optimizer


def sick():
    torch.manual_seed(60)
    simulator = Simulator(320)
    loader = DataLoader(simulator, batch_size=16, num_workers=2)
    return training(loader)


def well():
    torch.manual_seed(60)
    simulator = Simulator(320)
    loader = DataLoader(simulator, batch_size=16, num_workers=2, worker_init_fn=reseed)
    return training(loader)


if __name__ == "__main__":
    sick()
