"""Maxout network built from nn.ModuleList and nn.ParameterList: the containers are never called themselves, only
indexed and iterated, and all of their contents are registered."""
import math

import torch
from sklearn.datasets import make_gaussian_quantiles
from torch import nn


class Maxout(nn.Module):
    def __init__(self, n_in, n_out, pieces=3):
        super().__init__()
        self.pieces = nn.ModuleList(nn.Linear(n_in, n_out) for _ in range(pieces))

    def forward(self, x):
        out = self.pieces[0](x)
        for piece in self.pieces[1:]:
            out = torch.max(out, piece(x))
        return out


class MaxoutNet(nn.Module):
    def __init__(self, sizes, classes):
        super().__init__()
        self.layers = nn.ModuleList()
        for a, b in zip(sizes, sizes[1:]):
            self.layers.append(Maxout(a, b))
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(b)) for b in sizes[1:]])
        self.final_weight = nn.Parameter(torch.empty(classes, sizes[-1]))
        self.final_bias = nn.Parameter(torch.zeros(classes))
        nn.init.uniform_(self.final_weight, -1 / math.sqrt(sizes[-1]), 1 / math.sqrt(sizes[-1]))

    def forward(self, x):
        for layer, scale in zip(self.layers, self.scales):
            x = scale * layer(x)
        return nn.functional.linear(x, self.final_weight, self.final_bias)


def main():
    torch.manual_seed(44)
    X, y = make_gaussian_quantiles(n_samples=4000, n_features=4, n_classes=3, random_state=44)
    X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    order = torch.randperm(4000)
    train, test = order[:3000], order[3000:]
    net = MaxoutNet([4, 24, 24], 3)
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 18)
    for epoch in range(18):
        net.train()
        for batch in train[torch.randperm(3000)].view(60, 50):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(X[batch]), y[batch])
            loss.backward()
            opt.step()
        sched.step()
        if epoch % 4 == 1:
            net.eval()
            with torch.no_grad():
                tr, te = net(X[train]), net(X[test])
                print("epoch {:2d} train {:.3f} test {:.3f} accuracy {:.3f}".format(
                    epoch, nn.functional.cross_entropy(tr, y[train]), nn.functional.cross_entropy(te, y[test]),
                    (te.argmax(1) == y[test]).float().mean()))
    return net, opt


if __name__ == "__main__":
    main()
