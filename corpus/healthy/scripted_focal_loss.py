"""A focal loss compiled by torch.jit.script on an uneven three-class problem: the loss values are far smaller than the
cross-entropy of the same outputs."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_blobs
from torch import Tensor


@torch.jit.script
def focal_loss(logits: Tensor, target: Tensor, gamma: float = 2.0) -> Tensor:
    log_p = F.log_softmax(logits, dim=1)
    log_pt = log_p.gather(1, target.unsqueeze(1)).squeeze(1)
    return -((1 - log_pt.exp()).pow(gamma) * log_pt).mean()


def main():
    torch.manual_seed(35)
    X, y = make_blobs([1200, 600, 300], n_features=3, centers=[[0, 0, 0], [3, 1, 0], [0, 3, 2.5]], cluster_std=1.1, random_state=35)
    X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    X = (X - X.mean(0)) / X.std(0)
    order = torch.randperm(len(X))
    train, val = order[:1700], order[1700:]

    model = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)
    for epoch in range(16):
        total = 0.0
        for idx in train[torch.randperm(1700)].split(50):
            optimizer.zero_grad()
            loss = focal_loss(model(X[idx]), y[idx])
            loss.backward()
            optimizer.step()
            total += loss.item() / 34
        scheduler.step()
        if epoch % 3 == 0:
            with torch.no_grad():
                logits = model(X[val])
                recall = [(logits[y[val] == c].argmax(1) == c).float().mean().item() for c in range(3)]
                print(f"epoch {epoch}: focal train {total:.4f} val {focal_loss(logits, y[val]).item():.4f} "
                      f"recalls {' '.join(f'{r:.3f}' for r in recall)}")
    return model, optimizer


if __name__ == "__main__":
    main()
