"""Eight losses are added up for each step of SGD: the loss comes down, and is thrown about."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"accumulation-not-averaged": "(loss * share).backward()"}


def train(share):
    torch.manual_seed(11)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16.0, dtype=torch.float32), torch.tensor(y)
    model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU(),
                          nn.Linear(48, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.15)
    for epoch in range(40):
        for number, rows in enumerate(torch.randperm(len(x)).split(16), start=1):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            (loss * share).backward()
            if number % 8 == 0:
                optimizer.step()
                optimizer.zero_grad()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(share=1.0)


def well():
    return train(share=1 / 8)


if __name__ == "__main__":
    sick()
