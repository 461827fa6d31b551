"""GRU that tells sine, square, saw-tooth and random-walk signals apart from the last hidden state."""
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


@dataclass
class Config:
    seed: int = 7
    hidden: int = 32
    length: int = 30
    batch_size: int = 64
    epochs: int = 14
    lr: float = 1e-2


class Waves(Dataset):
    def __init__(self, n, length, seed):
        rng = np.random.default_rng(seed)
        t = np.arange(length)
        self.labels = rng.integers(0, 4, n)
        signals = []
        for label in self.labels:
            phase = 2 * np.pi * (rng.uniform(0.08, 0.16) * t + rng.uniform())
            if label == 0:
                s = np.sin(phase) * 1.4
            elif label == 1:
                s = np.sign(np.sin(phase))
            elif label == 2:
                s = ((phase / (2 * np.pi)) % 1.0 - 0.5) * 3.4
            else:
                s = np.cumsum(rng.normal(size=length))
                s = (s - s.mean()) / (s.std() + 1e-6)
            signals.append(s + rng.normal(scale=0.1, size=length))
        self.signals = np.stack(signals).astype(np.float32)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return torch.from_numpy(self.signals[i]).unsqueeze(-1), int(self.labels[i])


class GRUClassifier(nn.Module):
    def __init__(self, hidden, classes=4):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, classes)

    def forward(self, x):
        _, h = self.gru(x)
        return self.fc(h[-1])


def run_epoch(model, loader, criterion, optimizer=None):
    model.train(optimizer is not None)
    losses, hits, count = 0.0, 0, 0
    with torch.set_grad_enabled(optimizer is not None):
        for x, y in loader:
            logits = model(x)
            loss = criterion(logits, y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            losses += loss.item() * len(y)
            hits += (logits.argmax(-1) == y).sum().item()
            count += len(y)
    return losses / count, hits / count


def main():
    cfg = Config()
    torch.manual_seed(cfg.seed)
    train = DataLoader(Waves(1600, cfg.length, 0), cfg.batch_size, shuffle=True)
    valid = DataLoader(Waves(400, cfg.length, 1), cfg.batch_size)
    model = GRUClassifier(cfg.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg.lr)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.1)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(cfg.epochs):
        tl, ta = run_epoch(model, train, criterion, optimizer)
        vl, va = run_epoch(model, valid, criterion)
        scheduler.step()
        print(f"epoch {epoch:02d} | train {tl:.3f} {ta:.1%} | valid {vl:.3f} {va:.1%}")
    return model, optimizer


if __name__ == "__main__":
    main()
