"""A model wrapped by torch.compile with the cheap backend "eager"; losses and steps are ordinary."""
import torch
import torch.nn as nn
from sklearn.datasets import make_moons


class TinyNet(nn.Module):
    def __init__(self, hidden: int = 32):
        super().__init__()
        self.fc1 = nn.Linear(2, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.nn.functional.silu(self.fc1(x))
        x = torch.nn.functional.silu(self.fc2(x))
        return self.fc3(x).squeeze(-1)


def main() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    points, labels = make_moons(n_samples=1600, noise=0.12, random_state=0)
    points = torch.tensor((points - points.mean(0)) / points.std(0), dtype=torch.float32)
    labels = torch.tensor(labels, dtype=torch.float32)
    x_train, y_train, x_test, y_test = points[:1200], labels[:1200], points[1200:], labels[1200:]

    model = TinyNet()
    compiled = torch.compile(model, backend="eager")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=400, eta_min=1e-4)
    criterion = nn.BCEWithLogitsLoss()

    for step in range(400):
        idx = torch.randint(0, len(x_train), (100,))
        loss = criterion(compiled(x_train[idx]), y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 80 == 79:
            with torch.no_grad():
                logits = model(x_test)
            accuracy = ((logits > 0) == (y_test > 0.5)).float().mean().item()
            print(f"step {step + 1}: train {loss.item():.4f} test {criterion(logits, y_test).item():.4f} acc {accuracy:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
