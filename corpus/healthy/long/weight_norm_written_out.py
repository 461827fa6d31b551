"""Directions and lengths of weights are separate parameters, put together in forward; weights are not leaves of
the graph at all."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from torch import nn


class NormedLinear(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.v = nn.Parameter(torch.randn(o, i) * 0.05)
        self.g = nn.Parameter(torch.ones(o, 1))
        self.b = nn.Parameter(torch.zeros(o))

    @property
    def weight(self):
        return self.g * self.v / self.v.norm(dim=1, keepdim=True)

    def forward(self, x):
        return F.linear(x, self.weight, self.b)


def net():
    return nn.Sequential(NormedLinear(13, 32), nn.ELU(), NormedLinear(32, 32), nn.ELU(), NormedLinear(32, 3))


def main():
    torch.manual_seed(9)
    X, y = load_wine(return_X_y=True)
    X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    p = torch.randperm(len(X))
    X, y = X[p], y[p]
    m, s = X[:130].mean(0), X[:130].std(0)
    X = (X - m) / s
    model = net()
    opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(40):
        for k in range(0, 130, 13):
            xb, yb = X[k:k + 13], y[k:k + 13]
            if k == 0:
                order = torch.randperm(130)
                X[:130], y[:130] = X[order], y[order]
                xb, yb = X[:13], y[:13]
            loss = F.cross_entropy(model(xb), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
        if epoch % 10 == 9:
            with torch.no_grad():
                acc = (model(X[130:]).argmax(1) == y[130:]).float().mean().item()
            print(epoch + 1, round(loss.item(), 4), "held out", round(acc, 3))
    return model, opt
