"""Three linear layers with nothing between them are one linear layer, and no straight line
separates a ring from the disc inside it."""

import torch
from sklearn.datasets import make_circles
from torch.nn import BCEWithLogitsLoss, Linear, ReLU, Sequential
from torch.optim import Adam

FAULTS = {"missing-nonlinearity": "Linear(24, 24)"}


def rings(count, seed):
    points, ring = make_circles(count, noise=0.08, factor=0.5, random_state=seed)
    points = torch.tensor(points, dtype=torch.float32)
    return points / 0.56, torch.tensor(ring, dtype=torch.float32)


def sick():
    torch.manual_seed(0)
    x, y = rings(800, seed=1)
    x_test, y_test = rings(400, seed=2)
    net = Sequential(Linear(2, 24), Linear(24, 24), Linear(24, 1))
    criterion = BCEWithLogitsLoss()
    optimizer = Adam(net.parameters(), lr=0.01)
    for iteration in range(250):
        optimizer.zero_grad()
        loss = criterion(net(x).view(-1), y)
        loss.backward()
        optimizer.step()
        if (iteration + 1) % 50 == 0:
            with torch.no_grad():
                right = (net(x_test).view(-1) > 0) == y_test.bool()
            print(f"iteration {iteration + 1}: {loss.item():.4f}, {right.float().mean():.1%}")
    return net, optimizer


def well():
    torch.manual_seed(0)
    x, y = rings(800, seed=1)
    x_test, y_test = rings(400, seed=2)
    net = Sequential(Linear(2, 24), ReLU(), Linear(24, 24), ReLU(), Linear(24, 1))
    criterion = BCEWithLogitsLoss()
    optimizer = Adam(net.parameters(), lr=0.01)
    for iteration in range(250):
        optimizer.zero_grad()
        loss = criterion(net(x).view(-1), y)
        loss.backward()
        optimizer.step()
        if (iteration + 1) % 50 == 0:
            with torch.no_grad():
                right = (net(x_test).view(-1) > 0) == y_test.bool()
            print(f"iteration {iteration + 1}: {loss.item():.4f}, {right.float().mean():.1%}")
    return net, optimizer


if __name__ == "__main__":
    sick()
