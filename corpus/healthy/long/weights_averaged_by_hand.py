"""Stochastic weight averaging by hand: a constant high rate in the second half, a mean of the weights at the end
of each epoch, and batch statistics computed anew for it by a pass in train mode without a loss."""
import copy

import torch
from sklearn.datasets import load_digits
from torch import nn


def main():
    torch.manual_seed(44)
    d = load_digits()
    X = torch.tensor(d.data, dtype=torch.float32) / 16
    y = torch.tensor(d.target)
    order = torch.randperm(len(X))
    tr, te = order[:1300], order[1300:]
    model = nn.Sequential(nn.Linear(64, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(),
                          nn.Linear(64, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    averaged, n = copy.deepcopy(model), 0
    ce = nn.CrossEntropyLoss()

    def score(m):
        m.eval()
        with torch.no_grad():
            out = m(X[te])
            return ce(out, y[te]).item(), (out.argmax(1) == y[te]).double().mean().item()

    for epoch in range(14):
        for g in opt.param_groups:
            g["lr"] = 0.1 if epoch < 5 else 0.05
        model.train()
        for b in tr[torch.randperm(len(tr))].split(65):
            loss = ce(model(X[b]), y[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
        if epoch >= 6:
            n += 1
            with torch.no_grad():
                for a, p in zip(averaged.parameters(), model.parameters()):
                    a += (p - a) / n
        print(epoch, f"loss {loss.item():.3f} test %.3f %.3f" % score(model))
    for m in averaged.modules():
        if isinstance(m, nn.BatchNorm1d):
            m.reset_running_stats()
            m.momentum = None
    averaged.train()
    with torch.no_grad():
        for b in tr.split(65):
            averaged(X[b])
    print("averaged %.3f %.3f" % score(averaged))
    return model, averaged, opt
