"""A network of dropout layers that drop nothing: the share comes from a setting that was left at
zero, and every sample of half of a small data set is learned by heart."""

import torch
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale
from torch import nn
from torch.nn.functional import mse_loss

FAULTS = {"no-regularisation": None}


class Estimator(nn.Module):
    def __init__(self, drop, width=200):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(10, width), nn.Linear(width, width)])
        self.drop = nn.Dropout(drop)
        self.final = nn.Linear(width, 1)

    def forward(self, x):
        for layer in self.layers:
            x = self.drop(torch.relu(layer(x)))
        return self.final(x).squeeze(1)


def fit(drop, decay):
    torch.manual_seed(6)
    x, y = load_diabetes(return_X_y=True)
    x, y = (torch.tensor(scale(each), dtype=torch.float32) for each in (x, y))
    order = torch.randperm(len(x))
    mine, other = order[:220], order[220:]
    net = Estimator(drop)
    adam = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=decay)
    for epoch in range(120):
        net.train()
        for rows in mine[torch.randperm(len(mine))].split(22):
            loss = mse_loss(net(x[rows]), y[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
        if epoch % 4 == 3:
            net.eval()
            with torch.inference_mode():
                print(epoch + 1, f"{mse_loss(net(x[other]), y[other]).item():.3f}")
    return net, adam


def sick():
    return fit(drop=0.0, decay=0.0)


def well():
    return fit(drop=0.7, decay=1.0)


if __name__ == "__main__":
    sick()
