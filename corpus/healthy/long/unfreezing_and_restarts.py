"""Progressive unfreezing, with a new optimizer each time that more layers learn; then four cycles of a
cosine schedule, each with an optimizer of its own."""
import torch
from sklearn.datasets import load_digits
from torch import nn


def epoch(model, optimizer, x, y, scheduler=None):
    for rows in torch.randperm(len(y)).split(50):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return loss.item()


def main():
    torch.manual_seed(13)
    x, y = (torch.tensor(part) for part in load_digits(return_X_y=True))
    x = x.float() / 8 - 0.6
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 10))
    first = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(3):
        epoch(model, first, x[:600], y[:600])
    for depth in (1, 2, 3):  # from the last layer to the first
        layers = [model[4], model[2], model[0]][:depth]
        optimizer = torch.optim.Adam([p for layer in layers for p in layer.parameters()], lr=1e-3)
        for _ in range(2):
            loss = epoch(model, optimizer, x[600:1400], y[600:1400])
        print(f"{depth} layers learn: {loss:.4f}")
    for cycle in range(5):
        optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2 * 16)
        for _ in range(2):
            loss = epoch(model, optimizer, x[600:1400], y[600:1400], scheduler)
        with torch.no_grad():
            right = (model(x[1400:]).argmax(1) == y[1400:]).float().mean().item()
        print(f"cycle {cycle}: {loss:.4f} {right:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
