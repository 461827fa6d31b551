"""Eighty labelled samples for a network of five thousand weights: it learns every one of them by
heart, and its guesses on new samples become worse while it does. There are more samples to be had.
"""

import torch
from sklearn.datasets import make_classification
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"too-few-samples": "DataLoader(train_set, batch_size=20, shuffle=True)"}
EPOCHS = 90


def dataset(samples):
    x, y = make_classification(
        n_samples=1800, n_features=24, n_informative=10, n_redundant=4, n_classes=3,
        class_sep=1.4, flip_y=0.0, random_state=14,
    )
    x, y = torch.tensor(x, dtype=torch.float), torch.tensor(y)
    x = (x - x.mean(0)) / x.std(0)
    return TensorDataset(x[:samples], y[:samples]), (x[1400:], y[1400:])


def evaluate(model, x, y, loss_fn):
    with torch.inference_mode():
        return loss_fn(model(x), y).item()


def learn(samples, epochs):
    torch.manual_seed(77)
    train_set, held_out = dataset(samples)
    loader = DataLoader(train_set, batch_size=20, shuffle=True)
    model = nn.Sequential(
        nn.Linear(24, 64), nn.ReLU(),
        nn.Linear(64, 48), nn.ReLU(),
        nn.Linear(48, 3),
    )
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(epochs):
        for x, y in loader:
            loss = loss_fn(model(x), y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        if epoch % 3 == 0:
            print(epoch, loss.item(), evaluate(model, *held_out, loss_fn))
    return model, optimizer


def sick():
    return learn(80, EPOCHS)


def well():
    return learn(1400, 8)


if __name__ == "__main__":
    sick()
