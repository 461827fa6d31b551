"""Contrastive learning from two noisy views of each digit: the labels of the loss are positions in the batch,
the scale of the similarities is learned, and a nearest neighbour tells what the features are worth."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


def view(x):
    """Each picture shifted by up to a pixel and made brighter or darker, some of its pixels dropped."""
    n = len(x)
    padded = F.pad(x, (1, 1, 1, 1))
    rows = torch.arange(8) + torch.randint(0, 3, (n, 1))
    columns = torch.arange(8) + torch.randint(0, 3, (n, 1))
    x = padded[torch.arange(n)[:, None, None], 0, rows[:, :, None], columns[:, None, :]][:, None]
    x = x * (0.7 + 0.6 * torch.rand(n, 1, 1, 1))
    return x * (torch.rand_like(x) > 0.1)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 16, 64), nn.ReLU())
        self.projection = nn.Linear(64, 24)
        self.log_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        return F.normalize(self.projection(self.features(x)), dim=1)


def info_nce(za, zb, scale):
    logits = za @ zb.T * scale
    labels = torch.arange(len(za))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def neighbour_accuracy(model, x, y, tx, ty):
    model.eval()
    with torch.no_grad():
        a, b = F.normalize(model.features(x), dim=1), F.normalize(model.features(tx), dim=1)
        acc = (y[(b @ a.T).argmax(1)] == ty).float().mean().item()
    model.train()
    return acc


def main():
    torch.manual_seed(12)
    d = load_digits()
    x = torch.tensor(d.images, dtype=torch.float32).unsqueeze(1) / 16
    y = torch.tensor(d.target)
    x, y, tx, ty = x[:1400], y[:1400], x[1400:], y[1400:]
    model = Encoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(16):
        for idx in torch.randperm(len(x)).split(128):
            if len(idx) < 128:
                continue
            loss = info_nce(model(view(x[idx])), model(view(x[idx])), model.log_scale.exp())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 0:
            print(epoch, f"{loss.item():.3f}", "neighbours agree", round(neighbour_accuracy(model, x, y, tx, ty), 3))
    return model, optimizer
