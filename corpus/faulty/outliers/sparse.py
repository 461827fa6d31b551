"""Five pictures a thousand times too bright, among pictures that are mostly black."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"outliers": "x[torch.randint(900, (5,))] *= factor"}


def train(factor):
    torch.manual_seed(14)
    data, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(data[:900], dtype=torch.float32), torch.tensor(labels[:900])
    x[torch.randint(900, (5,))] *= factor
    x = (x - x.mean()) / x.std()
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(12):
        for rows in torch.randperm(900).split(30):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.3f}")
    return model


def sick():
    return train(1000.0)


def well():
    return train(1.0)
