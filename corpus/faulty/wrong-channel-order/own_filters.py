"""Tiles of six bands, with the bands last. The filters belong to a module of the program's own, which
has a normalisation inside."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"wrong-channel-order": "tiles.reshape(len(tiles), 6, 16, 16)"}


class Filtered(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        self.filters = nn.Parameter(torch.randn(outside, inside, 3, 3) * (2 / (9 * inside)) ** 0.5)
        self.scaled = nn.GroupNorm(4, outside)

    def forward(self, x):
        return F.relu(self.scaled(F.conv2d(x, self.filters, padding=1)))


def fields(count):
    which = torch.randint(3, (count,))
    down, across = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    turned = 3.14 * torch.rand(count, 1, 1)
    along = across * turned.cos() + down * turned.sin()
    wide = torch.tensor([4.0, 6.0, 9.0])[which][:, None, None]
    rows = 0.5 + 0.5 * torch.sin(6.3 * along / wide + 6.3 * torch.rand(count, 1, 1))
    plants = torch.tensor([0.08, 0.12, 0.1, 0.35, 0.45, 0.25])
    soil = torch.tensor([0.15, 0.18, 0.22, 0.26, 0.3, 0.33]) * (0.8 + 0.4 * torch.rand(count, 1, 1, 1))
    share = 0.6 * rows[..., None]
    return share * plants + (1 - share) * soil + 0.03 * torch.randn(count, 16, 16, 6), which


def train(arranged):
    torch.manual_seed(9)
    tiles, which = fields(900)
    tiles = (tiles - tiles.mean((0, 1, 2))) / tiles.std((0, 1, 2))
    tiles = arranged(tiles)
    net = nn.Sequential(Filtered(6, 16), nn.AvgPool2d(2), Filtered(16, 16), nn.AdaptiveAvgPool2d(1),
                        nn.Flatten(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(26):
        for rows in torch.randperm(len(tiles)).split(30):
            loss = F.cross_entropy(net(tiles[rows]), which[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.3f}")
    return net


def sick():
    return train(lambda tiles: tiles.reshape(len(tiles), 6, 16, 16))


def well():
    return train(lambda tiles: tiles.permute(0, 3, 1, 2))


if __name__ == "__main__":
    sick()
