"""Ordinal regression with cumulative binary targets (is the grade above 0? above 1? ...): several ones per row under
BCEWithLogits, one shared score with ordered thresholds, evaluated by the mean absolute error in grades."""
import torch
import torch.nn as nn
from sklearn.datasets import make_friedman1

LEVELS = 5


class OrdinalNet(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(n_in, 48), nn.ELU(), nn.Linear(48, 24), nn.ELU(), nn.Linear(24, 1, bias=False))
        self.first = nn.Parameter(torch.tensor(-1.5))
        self.gaps = nn.Parameter(torch.zeros(LEVELS - 2))

    def forward(self, x):
        steps = nn.functional.softplus(self.gaps)
        thresholds = torch.cat([self.first[None], self.first + steps.cumsum(0)])
        return self.score(x) - thresholds  # (N, 1) - (4,) -> (N, 4)


def cumulative(grades):
    return (grades[:, None] > torch.arange(LEVELS - 1)).float()


def mean_absolute_error(logits, grades):
    return ((logits > 0).sum(1) - grades).abs().float().mean().item()


def main():
    torch.manual_seed(45)
    X, latent = make_friedman1(2400, n_features=5, noise=0.3, random_state=45)
    latent = torch.tensor(latent)
    grades = torch.bucketize(latent, torch.quantile(latent, torch.tensor([0.15, 0.4, 0.65, 0.88], dtype=latent.dtype)))
    X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32)
    x_train, g_train, x_val, g_val = X[:2000], grades[:2000], X[2000:], grades[2000:]
    print("grades:", torch.bincount(g_train).tolist())

    model = OrdinalNet(5)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 18)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(18):
        total = 0.0
        for idx in torch.randperm(2000).split(40):
            optimizer.zero_grad()
            loss = criterion(model(x_train[idx]), cumulative(g_train[idx]))
            loss.backward()
            optimizer.step()
            total += loss.item() / 50
        scheduler.step()
        if epoch % 3 == 2:
            with torch.no_grad():
                out = model(x_val)
            print(f"epoch {epoch + 1}: train {total:.4f} val {criterion(out, cumulative(g_val)).item():.4f} "
                  f"MAE {mean_absolute_error(out, g_val):.3f} grades")
    return model, optimizer


if __name__ == "__main__":
    main()
