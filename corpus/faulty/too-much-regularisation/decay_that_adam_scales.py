"""The weight decay of AdamW in plain Adam: the class is hardly learned beside the size."""

import torch
from torch import nn

FAULTS = {"too-much-regularisation": "torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=decay)"}


def pictures(number, generator):
    """A square, a ring or a cross of some size: what it is, and how large."""
    rows = torch.arange(16.0)
    kind = torch.randint(0, 3, (number,), generator=generator)
    size = 2 + 4 * torch.rand(number, generator=generator)
    i, j = 4 + 7 * torch.rand(2, number, 1, 1, generator=generator)
    down, across = (rows[None, :, None] - i).abs(), (rows[None, None] - j).abs()
    wide = size[:, None, None]
    square = torch.maximum(down, across) < wide
    ring = square & (torch.maximum(down, across) > wide - 1.5)
    cross = (torch.minimum(down, across) < 1) & square
    x = torch.where(kind[:, None, None] == 0, square, torch.where(
        kind[:, None, None] == 1, ring, cross)).float()
    x = x + 0.3 * torch.randn(x.shape, generator=generator)
    return (x[:, None] - x.mean()) / x.std(), kind, (size - 4) / 1.2


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(384, 48), nn.ReLU())
        self.kind, self.size = nn.Linear(48, 3), nn.Linear(48, 1)

    def forward(self, x):
        x = self.body(x)
        return self.kind(x), self.size(x).squeeze(1)


def train(decay):
    torch.manual_seed(3)
    x, kind, size = pictures(1200, torch.Generator().manual_seed(3))
    model = Detector()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=decay)
    for epoch in range(16):
        for rows in torch.randperm(len(x)).split(40):
            told, wide = model(x[rows])
            what = nn.functional.cross_entropy(told, kind[rows])
            large = nn.functional.mse_loss(wide, size[rows])
            loss = what + 3 * large
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{what.item():.4f} {large.item():.4f}")
    return model, optimizer


def sick():
    return train(decay=0.35)


def well():
    return train(decay=1e-5)


if __name__ == "__main__":
    sick()
