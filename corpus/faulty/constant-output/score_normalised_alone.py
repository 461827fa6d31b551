"""Predicts the progress of diabetes. A layer norm after the last layer sees one number a patient,
and returns its own bias for all of them."""

import torch
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

FAULTS = {"constant-output": "torch.nn.LayerNorm(1)"}


class Progress(torch.nn.Module):
    def __init__(self, last):
        super().__init__()
        self.hidden = torch.nn.Linear(10, 24)
        self.score = torch.nn.Linear(24, 1)
        self.last = last

    def forward(self, patients):
        return self.last(self.score(torch.tanh(self.hidden(patients)))).squeeze(1)


def train(last):
    x, y = load_diabetes(return_X_y=True)
    x = torch.tensor(scale(x), dtype=torch.float32)
    y = torch.tensor(scale(y), dtype=torch.float32)
    model = Progress(last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = torch.nn.MSELoss()
    for _epoch in range(25):
        for rows in torch.randperm(len(x)).split(34):
            optimizer.zero_grad()
            criterion(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return model, optimizer


def sick():
    torch.manual_seed(5)
    return train(torch.nn.LayerNorm(1))


def well():
    torch.manual_seed(5)
    return train(torch.nn.Identity())
