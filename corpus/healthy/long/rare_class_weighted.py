"""One class in fourteen; the loss is weighted by inverse counts, and balanced accuracy is what counts."""
import numpy as np
import torch
from sklearn.datasets import make_classification
from torch import nn


class Batches:
    def __init__(self, x, y, size, rng):
        self.x, self.y, self.size, self.rng = x, y, size, rng

    def __iter__(self):
        order = self.rng.permutation(len(self.x))
        for k in range(0, len(order), self.size):
            rows = order[k:k + self.size]
            yield torch.from_numpy(self.x[rows]), torch.from_numpy(self.y[rows])


def main():
    torch.manual_seed(0)
    X, Y = make_classification(2400, 16, n_informative=8, weights=[0.93], class_sep=1.6, flip_y=0, random_state=3)
    X = ((X - X.mean(0)) / X.std(0)).astype(np.float32)
    train = Batches(X[:1800], Y[:1800], 60, np.random.default_rng(0))
    xv, yv = torch.from_numpy(X[1800:]), torch.from_numpy(Y[1800:])
    counts = np.bincount(Y[:1800])
    weight = torch.tensor(len(Y[:1800]) / (2 * counts), dtype=torch.float32)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 2))
    loss_fn = nn.CrossEntropyLoss(weight=weight)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3, weight_decay=1e-3)
    for epoch in range(20):
        for x, y in train:
            loss = loss_fn(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 4:
            with torch.no_grad():
                out = model(xv)
                recalls = [(out.argmax(1)[yv == c] == c).float().mean().item() for c in (0, 1)]
            print(epoch + 1, f"loss {loss.item():.3f} held out {loss_fn(out, yv).item():.3f} balanced {sum(recalls) / 2:.3f}")
    return model, optimizer
