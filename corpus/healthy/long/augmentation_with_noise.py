"""Augments by Gaussian noise, random erasing and mixing of pairs (mixup) in training only: the training loss stays far
above the validation loss, and the training inputs are distributed differently on purpose."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


def augment(x, rng):
    x = x + 0.25 * torch.randn_like(x)
    top, left = rng.integers(0, 7, size=2)
    x[:, :, top:top + 2, left:left + 2] = 0.0
    return x


def mixup(x, y, rng, alpha=0.3):
    lam = float(rng.beta(alpha, alpha))
    partner = torch.randperm(len(x))
    return lam * x + (1 - lam) * x[partner], y, y[partner], lam


class SmallCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 16, 3, padding=1)
        self.c2 = nn.Conv2d(16, 32, 3, padding=1)
        self.bn = nn.BatchNorm2d(32)
        self.fc = nn.Linear(32 * 4, 10)

    def forward(self, x):
        x = F.max_pool2d(F.elu(self.c1(x)), 2)
        x = F.max_pool2d(F.elu(self.bn(self.c2(x))), 2)
        return self.fc(x.flatten(1))


def main():
    torch.manual_seed(92)
    rng = np.random.default_rng(92)
    d = load_digits()
    x = torch.tensor(d.images, dtype=torch.float32).unsqueeze(1)
    x, y = (x - x.mean()) / x.std(), torch.tensor(d.target)
    split = torch.randperm(len(x))
    tr, va = split[:1440], split[1440:]
    model = SmallCNN()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=14)
    for epoch in range(14):
        model.train()
        total = 0.0
        for idx in tr[torch.randperm(1440)].split(48):
            xb, ya, yb, lam = mixup(augment(x[idx].clone(), rng), y[idx], rng)
            out = model(xb)
            loss = lam * F.cross_entropy(out, ya) + (1 - lam) * F.cross_entropy(out, yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 30
        schedule.step()
        if epoch % 2:
            model.eval()
            with torch.no_grad():
                out = model(x[va])
            print(f"{epoch + 1:2d} train (augmented) {total:.3f} valid {F.cross_entropy(out, y[va]).item():.3f} "
                  f"acc {(out.argmax(1) == y[va]).float().mean().item():.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
