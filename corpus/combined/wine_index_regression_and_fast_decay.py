"""Three cultivars, that have no order, are regressed as the numbers 0, 1 and 2; and a decay meant
per epoch is applied per batch, so that the rate is gone after the third epoch."""

import torch
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"wrong-target-encoding": None, "schedule-mistake": None}

EPOCHS = 40


def main():
    torch.manual_seed(9)
    x, y = load_wine(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    data = TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(y))
    loader = DataLoader(data, batch_size=8, shuffle=True)

    model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    scheduler = ExponentialLR(optimizer, gamma=0.85)
    criterion = nn.MSELoss()

    for epoch in range(EPOCHS):
        hits = 0
        for features, cultivar in loader:
            optimizer.zero_grad()
            guess = model(features).squeeze(1)
            loss = criterion(guess, cultivar.float())
            loss.backward()
            optimizer.step()
            scheduler.step()
            hits += (guess.round() == cultivar).sum().item()
        if epoch % 5 == 0:
            print(f"epoch {epoch:2d} accuracy {hits / len(data):.3f} rate {scheduler.get_last_lr()[0]:.2e}")
    return model


if __name__ == "__main__":
    main()
