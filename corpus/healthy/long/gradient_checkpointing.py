"""Residual blocks with dropout under torch.utils.checkpoint: every block's forward runs twice per step, the second
time inside the backward."""
import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from torch.utils.checkpoint import checkpoint


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.net = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * dim, dim))

    def forward(self, x):
        return x + self.net(x)


class CheckpointedNet(nn.Module):
    def __init__(self, n_in, n_out, dim=40, depth=4, use_checkpoint=True):
        super().__init__()
        self.embed = nn.Linear(n_in, dim)
        self.blocks = nn.ModuleList([Block(dim) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, n_out)
        self.use_checkpoint = use_checkpoint

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            if self.use_checkpoint and self.training:
                x = checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return self.head(self.norm(x))


def main():
    torch.manual_seed(14)
    X, y = make_classification(3200, 16, n_informative=12, n_redundant=2, n_classes=4, n_clusters_per_class=2,
                               class_sep=2.2, flip_y=0.02, random_state=3)
    X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    mean, std = X[:2560].mean(0), X[:2560].std(0)
    X = (X - mean) / std
    model = CheckpointedNet(16, 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    epochs = 5
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=epochs * 40)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for idx in torch.randperm(2560).split(64):
            loss = criterion(model(X[idx]), y[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            logits = model(X[2560:])
            val = criterion(logits, y[2560:])
            acc = (logits.argmax(1) == y[2560:]).float().mean()
        print(f"epoch {epoch} train {total / 40:.4f} val {val:.4f} acc {acc:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
