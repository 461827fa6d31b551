"""One target for each class, filled by an index that selects whole columns: all of them are 1."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"wrong-target-encoding": "criterion(model(x[rows]), wanted[rows])"}


def digits():
    x, y = load_digits(return_X_y=True)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(4))
    return torch.tensor(x / 16).float()[order], torch.tensor(y)[order]


def fit(wanted, x, y):
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(64, 40), nn.ELU(), nn.Linear(40, 10))
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    for _ in range(12):
        for rows in torch.randperm(1500).split(50):
            loss = criterion(model(x[rows]), wanted[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        print(f"accuracy {(model(x[1500:]).argmax(1) == y[1500:]).float().mean():.2f}")
    return model, optimizer


def sick():
    x, y = digits()
    wanted = torch.zeros(len(y), 10)
    wanted[:, y] = 1
    return fit(wanted, x, y)


def well():
    x, y = digits()
    wanted = torch.zeros(len(y), 10)
    wanted[torch.arange(len(y)), y] = 1
    return fit(wanted, x, y)


if __name__ == "__main__":
    sick()
