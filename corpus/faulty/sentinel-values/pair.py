"""A table with holes: what was not measured is written as -999, as another program wanted it."""

import numpy as np
import torch
from torch import nn

FAULTS = {"sentinel-values": "np.where(missing, -999.0, x)"}


def main(fill):
    torch.manual_seed(13)
    rng = np.random.default_rng(13)
    x = rng.standard_normal((600, 8))
    y = x[:, 0] + 0.7 * x[:, 1] * x[:, 2] + 0.3 * rng.standard_normal(600)
    missing = rng.random(x.shape) < 0.04
    if fill:
        x = np.where(missing, -999.0, x)
    else:
        x = np.where(missing, 0.0, x)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)[:, None]
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-3)
    for epoch in range(12):
        for rows in torch.randperm(450).split(25):
            loss = nn.functional.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(epoch, f"{loss:.3f} {nn.functional.mse_loss(model(x[450:]), y[450:]):.3f}")
    return model, optimizer


def sick():
    return main(fill=True)


def well():
    return main(fill=False)


if __name__ == "__main__":
    sick()
