"""Labels of -1 and 1 in a loss that wants 0 and 1, and raw features."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer
from torch import nn

FAULTS = {"labels-out-of-range": None, "inputs-not-normalised": None}


def prepare():
    bunch = load_breast_cancer()
    labels = np.where(bunch.target == 1, 1.0, -1.0)
    return torch.tensor(bunch.data, dtype=torch.float32), torch.tensor(labels, dtype=torch.float32)


def main():
    torch.manual_seed(6)
    x, y = prepare()
    train, test = slice(0, 450), slice(450, None)
    model = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for epoch in range(20):
        for rows in torch.randperm(450).split(25):
            logits = model(x[train][rows])
            loss = F.binary_cross_entropy_with_logits(logits, y[train][rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            hits = torch.sign(model(x[test])) == y[test]
        print(f"{epoch} loss {loss.item():.2f} accuracy {hits.float().mean().item():.3f}")
    return model


if __name__ == "__main__":
    main()
