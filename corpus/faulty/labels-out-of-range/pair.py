"""Labels of minus one and one, as a support vector machine likes them, go into a loss made
for zero and one: the loss has no floor, and the network says no to everything unsure."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import make_gaussian_quantiles

FAULTS = {"labels-out-of-range": "torch.from_numpy(2.0 * ring[:1200] - 1.0)"}


def sample():
    x, ring = make_gaussian_quantiles(n_samples=1500, n_features=4, n_classes=2, random_state=9)
    flipped = np.random.default_rng(9).random(1500) < 0.1
    return x.astype("float32"), np.where(flipped, 1 - ring, ring)


class Scorer(torch.nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.inner = torch.nn.Linear(4, width)
        self.middle = torch.nn.Linear(width, width)
        self.outer = torch.nn.Linear(width, 1)

    def forward(self, x):
        x = F.softplus(self.inner(x))
        x = F.softplus(self.middle(x))
        return self.outer(x).squeeze(1)


def batches(n, size):
    order = torch.randperm(n)
    yield from (order[i : i + size] for i in range(0, n, size))


def hit_rate(scorer, x, positive):
    with torch.no_grad():
        return ((scorer(x) > 0) == positive).float().mean().item()


def learn(y):
    features, ring = sample()
    x, x_val = torch.from_numpy(features).split([1200, 300])
    positive = torch.from_numpy(ring[1200:] == 1)
    scorer = Scorer()
    optimizer = torch.optim.Adam(scorer.parameters(), lr=0.015, weight_decay=1e-4)
    for epoch in range(16):
        mean_loss = 0.0
        for batch in batches(1200, 40):
            logits = scorer(x[batch])
            loss = F.binary_cross_entropy_with_logits(logits, y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            mean_loss += loss.item() / 30
        print(
            f"epoch {epoch:2d} loss {mean_loss:8.3f} hits {hit_rate(scorer, x_val, positive):.3f}"
        )
    return scorer, optimizer


def sick():
    torch.manual_seed(12)
    _, ring = sample()
    return learn(torch.from_numpy(2.0 * ring[:1200] - 1.0).float())


def well():
    torch.manual_seed(12)
    _, ring = sample()
    return learn(torch.from_numpy(1.0 * ring[:1200]).float())


if __name__ == "__main__":
    sick()
