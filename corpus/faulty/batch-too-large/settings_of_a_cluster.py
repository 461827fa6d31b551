"""Settings brought from a cluster: a batch for each of sixteen devices makes one that holds every
house of a town, and each pass over the houses is a single update."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"batch-too-large": "model(house)"}


@dataclass(frozen=True)
class Settings:
    per_device_batch: int = 256
    devices: int = 16
    epochs: int = 120
    lr: float = 1e-3
    weight_decay: float = 1e-2
    hidden: int = 64
    seed: int = 13

    @property
    def batch_size(self) -> int:
        return self.per_device_batch * self.devices


CLUSTER = Settings()


def houses(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(count, 7)
    rent = x[:, 0] + 0.7 * x[:, 1] * x[:, 2] + torch.sin(2 * x[:, 3]) - 0.5 * x[:, 4].relu()
    rent = rent + 0.15 * torch.randn(count)
    return x, ((rent - rent.mean()) / rent.std()).unsqueeze(1)


class Rent(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.stem = nn.Linear(7, hidden)
        self.block = nn.Linear(hidden, hidden)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.silu(self.stem(x))
        return self.head(x + F.silu(self.block(x)))


def run(settings: Settings):
    torch.manual_seed(settings.seed)
    x, rent = houses(2600)
    loader = DataLoader(
        TensorDataset(x[:2000], rent[:2000]), batch_size=settings.batch_size, shuffle=True)
    model = Rent(settings.hidden)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    for epoch in range(settings.epochs):
        for house, paid in loader:
            loss = F.mse_loss(model(house), paid)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if (epoch + 1) % 20 == 0:
            print(f"epoch {epoch + 1}: {loss.item():.4f}")
    with torch.no_grad():
        r2 = 1 - F.mse_loss(model(x[2000:]), rent[2000:]) / rent[2000:].var()
    print(f"R2 {r2.item():.3f} on the houses of another street")
    return model, optimizer


def sick():
    return run(CLUSTER)


def well():
    return run(replace(CLUSTER, per_device_batch=64, devices=1))


if __name__ == "__main__":
    sick()
