"""Of ten columns eight were lost in the preparation, and what tells the classes is among them."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"constant-features": "model(xb)"}


def train(kept):
    torch.manual_seed(23)
    data = torch.utils.data.TensorDataset(torch.randn(800, 10), torch.zeros(800, 1))
    x, y = data.tensors
    y[:] = (x[:, 4:].sum(1, keepdim=True) > 0).float()
    x[:, kept:] = 0.0
    loader = torch.utils.data.DataLoader(data, batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(14):
        for xb, yb in loader:
            loss = F.binary_cross_entropy_with_logits(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.3f}")
    return model


def sick():
    return train(2)


def well():
    return train(10)
