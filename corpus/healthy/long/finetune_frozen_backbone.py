"""Pre-trains a small convolutional backbone on digits 0-4, freezes all of it (batch norm kept in eval mode)
and trains a fresh linear head on digits 5-9: most parameters are frozen on purpose."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


def make_backbone():
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    )


def batches(x, y, size):
    for idx in torch.randperm(len(x))[:len(x) // size * size].split(size):  # whole batches only
        yield x[idx], y[idx]


def main():
    torch.manual_seed(8)
    digits = load_digits()
    images = torch.tensor(digits.images).float().unsqueeze(1) / 8 - 0.6
    target = torch.tensor(digits.target)
    low, high = target < 5, target >= 5

    # ---- pre-training on 0..4
    backbone = make_backbone()
    model = nn.Sequential(backbone, nn.Linear(96, 5))
    pre_optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    model.train()
    for epoch in range(8):
        for xb, yb in batches(images[low], target[low], 50):
            loss = F.cross_entropy(model(xb), yb)
            pre_optimizer.zero_grad()
            loss.backward()
            pre_optimizer.step()
        print(f"pretrain {epoch}: last batch loss {loss.item():.4f}")

    # ---- fine-tuning: new head on 5..9
    for p in backbone.parameters():
        p.requires_grad = False
    backbone.eval()
    x, y = images[high], target[high] - 5
    perm = torch.randperm(len(x))
    train, test = perm[:700], perm[700:]
    head = nn.Linear(96, 5)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 18)
    for epoch in range(18):
        head.train()
        for xb, yb in batches(x[train], y[train], 32):
            loss = F.cross_entropy(head(backbone(xb)), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        if epoch % 3 == 2:
            head.eval()
            with torch.no_grad():
                logits = head(backbone(x[test]))
                print(f"finetune {epoch}: test loss {F.cross_entropy(logits, y[test]).item():.4f} "
                      f"acc {(logits.argmax(1) == y[test]).float().mean().item():.3f}")
    return backbone, model, head, pre_optimizer, optimizer


if __name__ == "__main__":
    main()
