"""The slice that makes a batch never moves on."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"same-batch-every-step": "model(xb)"}


def train(moves):
    torch.manual_seed(27)
    data, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(data / 16, dtype=torch.float32), torch.tensor(labels)
    x_train, y_train, x_val, y_val = x[:1400].clone(), y[:1400], x[1400:], y[1400:]
    model = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(8):
        for step in range(28):
            start = moves * step * 50
            xb, yb = x_train[start:start + 50], y_train[start:start + 50]
            loss = F.cross_entropy(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(epoch, f"{loss:.3f} {F.cross_entropy(model(x_val), y_val):.3f}")
    return model


def sick():
    return train(0)


def well():
    return train(1)
