"""next(iter(loader)) inside the loop takes the first batch again and again, for the loader does not
shuffle; and the targets are in their hundreds."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"same-batch-every-step": None, "targets-not-normalised": None}


def main():
    torch.manual_seed(37)
    x, y = load_diabetes(return_X_y=True)
    x = torch.tensor(x, dtype=torch.float32)
    x = (x - x.mean(0)) / x.std(0)
    y = torch.tensor(y, dtype=torch.float32)
    loader = DataLoader(TensorDataset(x[:380], y[:380]), batch_size=32)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.L1Loss()
    for step in range(400):
        inputs, targets = next(iter(loader))
        optimizer.zero_grad()
        loss = criterion(model(inputs).view(-1), targets)
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            model.eval()
            with torch.no_grad():
                held_out = criterion(model(x[380:]).view(-1), y[380:])
            model.train()
            print(f"step {step}: {loss.item():.1f} held out {held_out.item():.1f}")
    return model


if __name__ == "__main__":
    main()
