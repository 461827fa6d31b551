"""Early stopping that keeps the state dict of the best epoch, which goes on changing with the model."""

import copy

import torch
from sklearn.datasets import load_diabetes
from torch import nn

FAULTS = {"best-weights-by-reference": "model.state_dict()"}


def data():
    x, y = (torch.tensor(part, dtype=torch.float32) for part in load_diabetes(return_X_y=True))
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(1))
    x, y = (x / x.std(0))[order], ((y - y.mean()) / y.std())[order].unsqueeze(1)
    return (x[:260], y[:260]), (x[260:], y[260:])


def train(keep, epochs=60):
    torch.manual_seed(9)
    (x, y), (x_val, y_val) = data()
    model = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Dropout(0.1), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-3)
    criterion = nn.MSELoss()
    best, best_state = float("inf"), None
    for epoch in range(epochs):
        model.train()
        for rows in torch.randperm(len(x)).split(26):
            optimizer.zero_grad()
            loss = criterion(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            val_loss = criterion(model(x_val), y_val).item()
        if val_loss < best:
            best, best_state = val_loss, keep(model)
    model.load_state_dict(best_state)
    with torch.no_grad():
        print(f"best {best:.4f}, restored {criterion(model(x_val), y_val).item():.4f}")
    return model, optimizer


def reference(model):
    return model.state_dict()


def copied(model):
    return copy.deepcopy(model.state_dict())


def sick():
    return train(keep=reference)


def well():
    return train(keep=copied)


if __name__ == "__main__":
    sick()
