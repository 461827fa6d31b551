"""A small attention model over table columns with the Noam schedule by LambdaLR: the base rate is 1.0 on paper, the
lambda makes it tiny, it climbs for 80 steps and then falls with the root of time."""
import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from sklearn.preprocessing import QuantileTransformer


class ColumnAttention(nn.Module):
    """Each column becomes a token: value times a learned direction plus a learned offset."""

    def __init__(self, n_columns, n_classes, dim=24, heads=3):
        super().__init__()
        self.direction = nn.Parameter(torch.randn(n_columns, dim) * 0.3)
        self.offset = nn.Parameter(torch.randn(n_columns, dim) * 0.3)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.ffn = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
        self.head = nn.Linear(n_columns * dim, n_classes)

    def forward(self, x):
        t = x.unsqueeze(-1) * self.direction + self.offset
        t = self.norm1(t + self.attention(t, t, t, need_weights=False)[0])
        t = self.norm2(t + self.ffn(t))
        return self.head(t.flatten(1))


def noam(step, d_model=24, warmup=80, factor=0.6):
    step = max(step, 1)
    return factor * d_model ** -0.5 * min(step ** -0.5, step * warmup ** -1.5)


def main():
    torch.manual_seed(32)
    X, y = make_classification(2800, 8, n_informative=6, n_redundant=0, n_classes=3, n_clusters_per_class=1,
                               class_sep=1.7, flip_y=0.0, random_state=32)
    X = QuantileTransformer(n_quantiles=100, output_distribution="normal", random_state=0).fit(X[:2240]).transform(X)
    X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    model = ColumnAttention(8, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda=noam)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    for epoch in range(8):
        model.train()
        running = 0.0
        for idx in torch.randperm(2240).split(56):
            loss = criterion(model(X[idx]), y[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            running += loss.item() / 40
        model.eval()
        with torch.no_grad():
            out = model(X[2240:])
        print(f"epoch {epoch} lr {scheduler.get_last_lr()[0]:.2e} train {running:.4f} "
              f"val {criterion(out, y[2240:]).item():.4f} acc {(out.argmax(1) == y[2240:]).float().mean().item():.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
