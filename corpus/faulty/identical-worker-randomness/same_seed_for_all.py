"""Noise is drawn by the workers of a loader. A worker_init_fn that is to make the run repeatable gives all of them the
same seed, in each epoch anew: the simulated echoes are the same few, time and again."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"identical-worker-randomness": "np.random.seed(SEED)"}

SEED = 5
TIMES = np.linspace(0, 1, 40)


def echo():
    """A pulse of some width in noise, and when it comes."""
    time, width = np.random.uniform(0.1, 0.9), np.random.uniform(0.02, 0.08)
    pulse = np.exp(-0.5 * ((TIMES - time) / width) ** 2) + 0.25 * np.random.randn(len(TIMES))
    return pulse.astype(np.float32), np.float32(4 * time - 2)


class Echoes(Dataset):
    def __len__(self):
        return 128

    def __getitem__(self, index):
        return echo()


def all_alike(worker_id):
    np.random.seed(SEED)


def each_its_own(worker_id):
    np.random.seed(torch.initial_seed() % 2**32)


def run(initialise):
    torch.manual_seed(SEED)
    np.random.seed(SEED + 1)
    x_test, y_test = (torch.from_numpy(np.stack(part)) for part in zip(*[echo() for _ in range(400)]))
    loader = DataLoader(Echoes(), batch_size=32, num_workers=2, worker_init_fn=initialise)
    model = nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(40):
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x).squeeze(1), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            test_loss = nn.functional.mse_loss(model(x_test).squeeze(1), y_test)
        if epoch % 10 == 9:
            print(f"{epoch}: {loss.item():.4f} {test_loss.item():.4f}")
    return model, optimizer


def sick():
    return run(all_alike)


def well():
    return run(each_its_own)
