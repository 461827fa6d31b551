"""1-D CNN on synthetic heartbeats that tells normal, early and broad beats apart; samples are standardised one by one
and average pooling spans the whole signal."""
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def heartbeat(kind, rng, n=64):
    t = np.linspace(0, 1, n)
    centre = rng.uniform(0.45, 0.55) - (0.12 if kind == 1 else 0.0)
    width = rng.uniform(0.016, 0.024) * (2.2 if kind == 2 else 1.0)
    bump = lambda c, w, a: a * np.exp(-0.5 * ((t - c) / w) ** 2)
    signal = bump(centre, width, 1.0) - bump(centre + 0.05, width, 0.25)
    signal += bump(0.3, 0.03, 0.15) + bump(0.78, 0.05, 0.3)
    return signal + 0.06 * rng.normal(size=n) + 0.1 * np.sin(2 * np.pi * (t + rng.uniform()))


def dataset(n, seed):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 3, n)
    x = np.stack([heartbeat(k, rng) for k in kinds]).astype("float32")
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    return TensorDataset(torch.from_numpy(x).unsqueeze(1), torch.from_numpy(kinds))


class ECGNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(1, 16, 7, padding=3), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 24, 5, padding=2), nn.BatchNorm1d(24), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(24, 24, 3, padding=1), nn.BatchNorm1d(24), nn.ReLU(),
        )
        self.pool = nn.AdaptiveAvgPool1d(4)
        self.fc = nn.Linear(96, 3)

    def forward(self, x):
        return self.fc(self.pool(self.conv(x)).flatten(1))


def main():
    torch.manual_seed(72)
    train_loader = DataLoader(dataset(1280, 0), batch_size=64, shuffle=True)
    test_loader = DataLoader(dataset(400, 1), batch_size=200)
    model = ECGNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [5, 7], gamma=0.1)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.02)
    for epoch in range(8):
        model.train()
        for i, (x, y) in enumerate(train_loader):
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        model.eval()
        loss_sum = hits = 0
        with torch.no_grad():
            for x, y in test_loader:
                out = model(x)
                loss_sum += criterion(out, y).item() / len(test_loader)
                hits += (out.argmax(1) == y).sum().item()
        print(f"epoch {epoch}: last batch {loss.item():.4f} test {loss_sum:.4f} accuracy {hits / 400:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
