"""One claim in forty is false. Its model is judged by sklearn on arrays, at the very end: nearly
all that it says is right, and it finds hardly any false claim."""

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn

FAULTS = {"class-imbalance": "nn.BCEWithLogitsLoss()"}


def claims(count, share, random):
    false = random.random(count) < share
    table = random.normal(size=(count, 8)).astype(np.float32)
    table[:, 0] += 1.6 * false
    table[:, 1] += 1.1 * false
    table[:, 2] *= 1 - 0.5 * false
    return table, false.astype(np.int64)


def fit(share):
    torch.manual_seed(5)
    random = np.random.default_rng(8)
    (x_train, y_train), (x_test, y_test) = (claims(n, share, random) for n in (6_000, 3_000))
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1))
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    inputs, labels = torch.from_numpy(x_train), torch.from_numpy(y_train).float()
    for _ in range(12):
        model.train()
        for rows in torch.randperm(len(inputs)).split(128):
            optimizer.zero_grad()
            criterion(model(inputs[rows]).flatten(), labels[rows]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        said = (torch.sigmoid(model(torch.from_numpy(x_test))).flatten() > 0.5).numpy()
    balanced = balanced_accuracy_score(y_test, said)
    print(f"right {(said == y_test).mean():.3f}, balanced {balanced:.3f}")
    return model, optimizer


def sick():
    return fit(share=0.025)


def well():
    return fit(share=0.4)


if __name__ == "__main__":
    sick()
