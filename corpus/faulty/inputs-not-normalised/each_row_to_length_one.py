"""The measurements of a wine are brought to a common length, wine by wine. The largest of them fills
the row, and what differs between wines is a few thousandths.
"""

import torch
from sklearn.datasets import load_wine
from sklearn.preprocessing import Normalizer, StandardScaler
from torch import nn

FAULTS = {"inputs-not-normalised": "torch.tensor(scaler.fit_transform(table))"}


def train(scaler):
    torch.manual_seed(2)
    table, kind = load_wine(return_X_y=True)
    x = torch.tensor(scaler.fit_transform(table)).float()
    y = torch.tensor(kind)
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    net = nn.Sequential(nn.Linear(13, 20), nn.ReLU(), nn.Linear(20, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.5)
    for epoch in range(60):
        for rows in torch.randperm(130).split(13):
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        right = net(x[130:]).argmax(1) == y[130:]
    print(f"loss {loss.item():.3f} right {right.float().mean():.3f}")
    return net


def sick():
    return train(Normalizer())


def well():
    return train(StandardScaler())


if __name__ == "__main__":
    sick()
