"""Windows of a series are normalised where they lie: they overlap, and the series wears away."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"data-changed-in-place": "window -= mean"}


class Windows(Dataset):
    def __init__(self, series, copied):
        self.series, self.copied = torch.from_numpy(series), copied

    def __len__(self):
        return len(self.series) - 39

    def __getitem__(self, index):
        window = self.series[index:index + 40]
        if self.copied:
            window = window.clone()
        mean, spread = window[:32].mean(), window[:32].std() + 1e-4
        window -= mean
        window /= spread
        return window[:32], window[32:]


def train(copied):
    torch.manual_seed(1)
    random = np.random.default_rng(1)
    time = np.arange(1500)
    series = 4 + np.cumsum(random.normal(0, 0.03, 1500)) + np.sin(time / 5) + 0.4 * np.sin(time / 2)
    loader = DataLoader(Windows((series + 0.05 * random.normal(size=1500)).astype(np.float32), copied),
                        batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        for past, future in loader:
            loss = nn.functional.mse_loss(model(past), future)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(copied=False)


def well():
    return train(copied=True)


if __name__ == "__main__":
    sick()
