"""Three exports of the same patients' table, overlapping in time, were glued together without
removing the rows that they share: a good third of the training set is there twice or three times."""

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

FAULTS = {"duplicate-samples": "net(xb)"}


def exports(clean):
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.RandomState(12).permutation(len(x))
    x, y = StandardScaler().fit_transform(x)[order], y[order]
    held_out = x[:140], y[:140]
    january, february, march = slice(140, 370), slice(280, 480), slice(330, 569)
    table = np.concatenate([x[january], x[february], x[march]])
    label = np.concatenate([y[january], y[february], y[march]])
    if clean:
        table, first = np.unique(table, axis=0, return_index=True)
        label = label[first]
    return [torch.tensor(a, dtype=torch.float32) for a in (table, label, *held_out)]


def run(clean):
    torch.manual_seed(4)
    x_train, y_train, x_test, y_test = exports(clean)
    net = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    batch = 30
    for epoch in range(12):
        net.train()
        perm = torch.randperm(len(x_train))
        for start in range(0, len(perm), batch):
            rows = perm[start:start + batch]
            xb, yb = x_train[rows], y_train[rows]
            opt.zero_grad()
            loss = binary_cross_entropy_with_logits(net(xb).squeeze(1), yb)
            loss.backward()
            opt.step()
        net.eval()
        with torch.no_grad():
            test_loss = binary_cross_entropy_with_logits(net(x_test).squeeze(1), y_test)
        print(f"{epoch:2d} train {loss:.4f} test {test_loss:.4f}")
    return net, opt


def sick():
    return run(clean=False)


def well():
    return run(clean=True)


if __name__ == "__main__":
    sick()
