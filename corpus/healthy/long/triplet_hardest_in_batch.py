"""Metric learning with the hardest triplets of each batch: as the easy ones vanish, the loss stays near its
margin although the neighbours in the embedding get better and better."""
import torch
from sklearn.datasets import load_digits
from torch import nn


def hardest(emb, labels, margin):
    d = torch.cdist(emb, emb)
    same = labels[:, None] == labels[None, :]
    eye = torch.eye(len(labels), dtype=torch.bool)
    positive = d.masked_fill(~same | eye, -1.0).max(1).values
    negative = d.masked_fill(same, float("inf")).min(1).values
    return torch.relu(positive - negative + margin).mean()


class Embedder(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.a = nn.Linear(64, 96)
        self.b = nn.Linear(96, dim)

    def forward(self, x):
        return nn.functional.normalize(self.b(torch.relu(self.a(x))), dim=-1)


def balanced(y, per_class, g):
    return torch.cat([(y == c).nonzero().squeeze(1)[torch.randperm(int((y == c).sum()), generator=g)[:per_class]]
                      for c in range(10)])


def main():
    torch.manual_seed(21)
    g = torch.Generator().manual_seed(21)
    X, y = load_digits(return_X_y=True)
    X = torch.tensor(X, dtype=torch.float32) / 16 - 0.3
    y = torch.tensor(y)
    Xt, yt, X, y = X[1300:], y[1300:], X[:1300], y[:1300]
    net = Embedder()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(400):
        idx = balanced(y, 6, g)
        loss = hardest(net(X[idx]), y[idx], margin=0.3)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 80 == 79 or step == 0:
            with torch.no_grad():
                nearest = torch.cdist(net(Xt), net(X)).argmin(1)
            print(step + 1, f"loss {loss.item():.3f} accuracy of neighbours {(y[nearest] == yt).float().mean().item():.3f}")
    return net, opt
