"""Progression of diabetes, with a momentum that remembers a thousand steps: the error swings up and
down in long waves and never settles."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn

CARET: str = "torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)"


def dataset():
    x, y = load_diabetes(return_X_y=True)
    x, y = torch.as_tensor(x).float(), torch.as_tensor(y).float()
    return x / x.std(0), (y - y.mean()) / y.std()


def fit(lr, momentum, updates=600):
    x, y = dataset()
    model = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    loss_function = nn.MSELoss()
    done = 0
    while done < updates:
        for part in torch.chunk(torch.randperm(len(x)), 2):
            optimizer.zero_grad()
            loss = loss_function(model(x[part]), y[part])
            loss.backward()
            optimizer.step()
            done += 1
    print("last loss", loss.item())
    return model, optimizer


def sick():
    torch.manual_seed(13)
    return fit(lr=0.01, momentum=0.999)


def well():
    torch.manual_seed(13)
    return fit(lr=0.01, momentum=0.9)


if __name__ == "__main__":
    sick()
