"""Two tasks with one body, weighed by learned uncertainties: the total loss falls below zero as they shrink."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                                  nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(24 * 16, 64), nn.ReLU())
        self.digit, self.ink = nn.Linear(64, 10), nn.Linear(64, 1)
        self.log_var = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        h = self.body(x)
        return {"digit": self.digit(h), "ink": self.ink(h).squeeze(1)}


def total_loss(model, out, batch):
    losses = torch.stack([F.cross_entropy(out["digit"], batch["digit"]), F.mse_loss(out["ink"], batch["ink"])])
    return (losses * torch.exp(-model.log_var) + model.log_var).sum(), losses.detach()


def main():
    torch.manual_seed(10)
    d = load_digits()
    x = torch.tensor(d.images, dtype=torch.float32)[:, None] / 16
    ink = x.mean((1, 2, 3))
    ink = (ink - ink.mean()) / ink.std()
    dataset = [{"x": a, "digit": torch.tensor(int(b)), "ink": c} for a, b, c in zip(x, d.target, ink)]
    train = torch.utils.data.DataLoader(dataset[:1400], batch_size=64, shuffle=True)
    test = torch.utils.data.DataLoader(dataset[1400:], batch_size=200)
    model = TwoHeads()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(10):
        model.train()
        for batch in train:
            loss, parts = total_loss(model, model(batch["x"]), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        right, err, n = 0, 0.0, 0
        with torch.no_grad():
            for batch in test:
                out = model(batch["x"])
                right += (out["digit"].argmax(1) == batch["digit"]).sum().item()
                err += F.mse_loss(out["ink"], batch["ink"], reduction="sum").item()
                n += len(batch["digit"])
        if epoch % 3 == 0:
            print(epoch, f"loss {loss.item():.3f} parts {parts.tolist()} acc {right / n:.3f} ink {err / n:.4f}")
    return model, optimizer
