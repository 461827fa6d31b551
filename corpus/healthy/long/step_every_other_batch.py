"""Static loss scaling by 128 and a step only after every second batch; the gradients are divided by the scale and the
number of batches just before the step, so that the update is the plain average."""
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

SCALE = 128.0
EVERY = 2


def unscale_(parameters, factor):
    for p in parameters:
        if p.grad is not None:
            p.grad.mul_(1.0 / factor)


def main():
    torch.manual_seed(26)
    d = load_digits()
    order = torch.randperm(len(d.target))
    x = (torch.tensor(d.data, dtype=torch.float32)[order] - 4.88) / 6.02
    y = torch.tensor(d.target)[order]
    loader = DataLoader(TensorDataset(x[:1400], y[:1400]), batch_size=20, shuffle=True)
    model = nn.Sequential(nn.Linear(64, 72), nn.Softsign(), nn.Linear(72, 10))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=16)
    for epoch in range(16):
        model.train()
        plain = 0.0
        for i, (xb, yb) in enumerate(loader, start=1):
            loss = criterion(model(xb), yb)
            (loss * SCALE).backward()
            plain += loss.item() / len(loader)
            if i % EVERY == 0:
                unscale_(model.parameters(), SCALE * EVERY)
                optimizer.step()
                optimizer.zero_grad()
        scheduler.step()
        if epoch % 3 == 0:
            model.eval()
            with torch.no_grad():
                out = model(x[1400:])
            print(f"epoch {epoch}: train {plain:.4f} test {criterion(out, y[1400:]).item():.4f} "
                  f"acc {(out.argmax(1) == y[1400:]).float().mean().item():.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
