"""Three learning rates are compared from the same first weights, which are kept as they come: each rate
goes on where the one before has stopped."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer

FAULTS = {"best-weights-by-reference": "model.state_dict()"}


def run(copied):
    torch.manual_seed(14)
    x, y = load_breast_cancer(return_X_y=True)
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    y = torch.tensor(y, dtype=torch.float32)
    order = torch.randperm(len(y))
    train, val = order[:400], order[400:]
    model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    first = {"weights": copy.deepcopy(model.state_dict()) if copied else model.state_dict()}
    for rate in (3e-3, 1e-2, 3e-2):
        model.load_state_dict(first["weights"])
        optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
        for epoch in range(8):
            for rows in train[torch.randperm(len(train))].split(25):
                loss = F.binary_cross_entropy_with_logits(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            held_out = F.binary_cross_entropy_with_logits(model(x[val]), y[val])
        print(f"rate {rate}: {held_out.item():.4f}")
    return model, optimizer


def sick():
    return run(copied=False)


def well():
    return run(copied=True)


if __name__ == "__main__":
    sick()
