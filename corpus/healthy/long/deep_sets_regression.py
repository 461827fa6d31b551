"""Deep Sets: predicts the deviation of a set of numbers from the mean of its elements' features. The mean runs over
the elements of one sample (dim 1), not over the batch."""
from dataclasses import dataclass

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


@dataclass(frozen=True)
class HParams:
    n_train: int = 2000
    n_test: int = 500
    set_size: int = 12
    epochs: int = 16
    lr: float = 3e-3


class DeepSets(nn.Module):
    def __init__(self, hidden: int = 32):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(1, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.rho = nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 1))

    def forward(self, sets: torch.Tensor) -> torch.Tensor:
        """sets: (batch, elements, 1) -> (batch,)"""
        return self.rho(self.phi(sets).mean(dim=1)).squeeze(-1)


def make_sets(n: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    scale = torch.rand(n, 1) * 1.4 + 0.1
    shift = torch.randn(n, 1) * 0.7
    sets = shift + scale * torch.randn(n, size)
    return sets.unsqueeze(-1), sets.std(dim=1)


def main(hp: HParams = HParams()):
    torch.manual_seed(29)
    x, y = make_sets(hp.n_train, hp.set_size)
    x_test, y_test = make_sets(hp.n_test, hp.set_size)
    y_mean, y_std = y.mean(), y.std()
    y, y_test = (y - y_mean) / y_std, (y_test - y_mean) / y_std
    loader = DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)
    model = DeepSets()
    optimizer = optim.Adam(model.parameters(), lr=hp.lr)
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=hp.lr * 2, steps_per_epoch=len(loader), epochs=hp.epochs)
    criterion = nn.MSELoss()
    for epoch in range(1, hp.epochs + 1):
        model.train()
        epoch_loss = 0.0
        for sets, target in loader:
            optimizer.zero_grad()
            loss = criterion(model(sets), target)
            loss.backward()
            optimizer.step()
            scheduler.step()
            epoch_loss += loss.item() / len(loader)
        if epoch % 4 == 0 or epoch == 1:
            model.eval()
            with torch.no_grad():
                shuffled = model(x_test[:, torch.randperm(hp.set_size)])
                print(f"epoch {epoch}: train {epoch_loss:.4f} test {criterion(shuffled, y_test).item():.4f}")
    return model, optimizer


if __name__ == "__main__":
    main()
