"""A dropout that leaves three units of a hundred: nothing is learned, in either mode."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"too-much-regularisation": "nn.Dropout(share)"}


def train(share):
    torch.manual_seed(12)
    data, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(data / 8 - 1, dtype=torch.float32), torch.tensor(labels)
    model = nn.Sequential(
        nn.Linear(64, 40),
        nn.ReLU(),
        nn.Dropout(share),
        nn.Linear(40, 40),
        nn.ReLU(),
        nn.Linear(40, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(10):
        model.train()
        for rows in torch.randperm(1400).split(50):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            print(epoch, f"{loss:.3f} {F.cross_entropy(model(x[1400:]), y[1400:]):.3f}")
    return model


def sick():
    return train(0.97)


def well():
    return train(0.1)
