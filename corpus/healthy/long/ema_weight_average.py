"""Keeps an exponential moving average of the weights in a deep copy that no optimizer holds and that needs no
gradient; the copy is the model that gets evaluated."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_classification


class EMA:
    def __init__(self, model, decay):
        self.model = copy.deepcopy(model).eval()
        self.decay = decay
        for p in self.model.parameters():
            p.requires_grad_(False)

    @torch.no_grad()
    def update(self, source, step):
        d = min(self.decay, (1 + step) / (10 + step))
        for ours, theirs in zip(self.model.parameters(), source.parameters()):
            ours.lerp_(theirs, 1 - d)
        for ours, theirs in zip(self.model.buffers(), source.buffers()):
            ours.copy_(theirs)


def main():
    torch.manual_seed(0)
    X, y = make_classification(3000, 20, n_informative=14, n_classes=5, n_clusters_per_class=1, class_sep=1.8,
                               random_state=8)
    X = torch.tensor((X - X[:2400].mean(0)) / X[:2400].std(0), dtype=torch.float32)
    y = torch.tensor(y)
    model = nn.Sequential(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 5))
    ema = EMA(model, decay=0.98)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=2e-3)
    n_steps, bs = 700, 60
    model.train()
    for step in range(n_steps):
        if step % 40 == 0:
            perm = torch.randperm(2400)
        idx = perm[step % 40 * bs:(step % 40 + 1) * bs]
        loss = F.cross_entropy(model(X[idx]), y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        ema.update(model, step)
        if (step + 1) % 100 == 0:
            with torch.no_grad():
                logits = ema.model(X[2400:])
            acc = (logits.argmax(-1) == y[2400:]).float().mean()
            print(f"{step + 1}: batch {loss.item():.3f} ema val {F.cross_entropy(logits, y[2400:]).item():.3f} acc {acc:.3f}")
    return model, ema.model, opt


if __name__ == "__main__":
    main()
