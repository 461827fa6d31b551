"""House-like data: mse_loss over (N, 1) and (N,), and a rate at which the loss runs away."""

import warnings

import torch
import torch.nn.functional as F
from sklearn.datasets import make_regression
from torch import nn

FAULTS = {"loss-broadcast": None, "learning-rate-too-high": None}


def main():
    warnings.simplefilter("ignore")
    torch.manual_seed(2)
    x, y = make_regression(600, 12, noise=5.0, random_state=0)
    x = torch.tensor(x, dtype=torch.float32)
    y = torch.tensor(y, dtype=torch.float32)
    y = (y - y.mean()) / y.std()
    model = nn.Sequential(nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=5.0)

    def step(rows):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        return float(loss)

    for epoch in range(20):
        losses = [step(rows) for rows in torch.randperm(len(x)).split(50)]
        print(epoch, sum(losses) / len(losses))
    return model


if __name__ == "__main__":
    main()
