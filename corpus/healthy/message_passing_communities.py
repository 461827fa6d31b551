"""A graph network whose messages are gathered by index_add: nodes of a few communities, one graph for all
steps, a handful of labelled nodes, and the others held out."""
import torch
import torch.nn.functional as F
from torch import nn


def communities(n=240, k=4, p_in=0.12, p_out=0.012):
    g = torch.Generator().manual_seed(11)
    y = torch.arange(n) % k
    p = torch.where(y[:, None] == y[None, :], p_in, p_out)
    a = (torch.rand(n, n, generator=g) < p).triu(1)
    a = a | a.T
    x = torch.randn(n, 12, generator=g)
    x[:, :k] += 0.7 * F.one_hot(y, k)
    return x, y, a.nonzero().T


class Conv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.own, self.other = nn.Linear(i, o), nn.Linear(i, o, bias=False)

    def forward(self, x, edges):
        src, dst = edges
        summed = torch.zeros_like(x).index_add(0, dst, x[src])
        degree = torch.zeros(len(x)).index_add(0, dst, torch.ones(len(dst))).clamp(min=1)
        return self.own(x) + self.other(summed / degree[:, None])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2 = Conv(12, 32), Conv(32, 4)

    def forward(self, x, edges):
        h = F.relu(self.c1(x, edges))
        return self.c2(F.dropout(h, 0.4, self.training), edges)


def main():
    torch.manual_seed(2)
    x, y, edges = communities()
    order = torch.randperm(len(y))
    train_mask = torch.zeros(len(y), dtype=torch.bool)
    train_mask[order[:80]] = True
    val_mask = ~train_mask
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-3)

    def train():
        model.train()
        optimizer.zero_grad()
        out = model(x, edges)
        loss = F.cross_entropy(out[train_mask], y[train_mask])
        loss.backward()
        optimizer.step()
        return loss.item()

    @torch.no_grad()
    def test():
        model.eval()
        pred = model(x, edges).argmax(1)
        return [(pred[m] == y[m]).float().mean().item() for m in (train_mask, val_mask)]

    for epoch in range(200):
        loss = train()
        if epoch % 40 == 39:
            print(epoch + 1, round(loss, 3), test())
    return model, optimizer
