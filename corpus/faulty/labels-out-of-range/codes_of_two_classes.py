"""The export of a clinic writes 2 for benign and 4 for malignant. The codes go straight into a binary
cross-entropy, which can be lowered without end by shouting "malignant" at everybody.
"""

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer

FAULTS = {"labels-out-of-range": "criterion(net(x[rows]).squeeze(1), marks[rows])"}


def export():
    """The table as the clinic keeps it: measurements, then the code of the diagnosis."""
    measurements, benign = load_breast_cancer(return_X_y=True)
    return np.column_stack([measurements, np.where(benign == 1, 2, 4)])


def diagnose(decode):
    torch.manual_seed(6)
    table = export()
    table = table[np.random.default_rng(6).permutation(len(table))]
    x, marks = (torch.tensor(part, dtype=torch.float32) for part in (table[:, :-1], table[:, -1]))
    x = (x - x[:400].mean(0)) / x[:400].std(0)
    if decode:
        marks = (marks == 4).float()
    net = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.ReLU(), torch.nn.Linear(20, 1))
    criterion = torch.nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(25):
        for rows in torch.randperm(400).split(25):
            optimizer.zero_grad()
            loss = criterion(net(x[rows]).squeeze(1), marks[rows])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            alarm = net(x[400:]).squeeze(1) > 0
        truth = marks[400:] == marks.max()
        print(f"{epoch:2d} loss {loss.item():.3f} found {alarm[truth].float().mean():.2f} "
              f"spared {(~alarm[~truth]).float().mean():.2f}")
    return net


def sick():
    return diagnose(decode=False)


def well():
    return diagnose(decode=True)


if __name__ == "__main__":
    sick()
