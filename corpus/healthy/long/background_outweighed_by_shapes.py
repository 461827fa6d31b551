"""Segmentation with three classes of weights: none for a border that is not to count, little for the background, which
is nearly everything, and the same weight for two shapes that are rare and unequally so."""
import torch
from torch import nn


def scenes(count, generator):
    yy, xx = torch.meshgrid(torch.arange(20), torch.arange(20), indexing="ij")
    images, masks = torch.randn(count, 1, 20, 20, generator=generator) * 0.4, torch.zeros(count, 20, 20, dtype=torch.long)
    for i in range(count):
        for kind, size in ((1, 3), (2, 2)):
            y, x = (torch.rand(2, generator=generator) * 12 + 4).tolist()
            inside = (yy - y).abs() + (xx - x).abs() <= size if kind == 1 else torch.maximum((yy - y).abs(), (xx - x).abs()) < size
            masks[i][inside] = kind
            images[i, 0] += inside * (1.6 if kind == 1 else -1.6)
        masks[i][[0, -1]], masks[i][:, [0, -1]] = 3, 3
    return images, masks


def main():
    torch.manual_seed(17)
    generator = torch.Generator().manual_seed(17)
    x, y = scenes(160, generator)
    x_new, y_new = scenes(60, generator)
    net = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 4, 1))
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([0.1, 1.0, 1.0, 0.0]))
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(12):
        for rows in torch.randperm(160).split(16):
            loss = criterion(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            out = net(x_new)
        print(epoch, f"{loss:.3f} {criterion(out, y_new):.3f}", [(out.argmax(1) == y_new)[y_new == c].float().mean().item() for c in (0, 1, 2)])
    return net, optimizer
