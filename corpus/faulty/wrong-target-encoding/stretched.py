"""The class index is stretched over an output for each class, and regressed on by all of them."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_iris
from torch import nn

FAULTS = {"wrong-target-encoding": "F.mse_loss(out, target)"}


def train(encode):
    torch.manual_seed(2)
    data, labels = load_iris(return_X_y=True)
    x = torch.tensor((data - data.mean(0)) / data.std(0), dtype=torch.float32)
    y = torch.tensor(labels)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(30):
        for rows in torch.randperm(len(x)).split(15):
            out = model(x[rows])
            target = encode(y[rows])
            loss = F.mse_loss(out, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 10 == 9:
            print(epoch, f"{loss:.3f} {(out.argmax(1) == y[rows]).float().mean():.2f}")
    return model


def sick():
    return train(lambda labels: labels.float()[:, None].expand(-1, 3))


def well():
    return train(lambda labels: F.one_hot(labels, 3).float())
