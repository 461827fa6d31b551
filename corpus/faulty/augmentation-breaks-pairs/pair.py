"""Leaves and their outlines: each is mirrored by chance, but not both by the same chance."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"augmentation-breaks-pairs": "flipped(mask)"}


def scene(generator):
    yy, xx = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    mask = torch.zeros(16, 16)
    for _ in range(2):
        y, x, r = (torch.rand(3, generator=generator) * torch.tensor([12, 12, 2]) + 2).tolist()
        mask[(yy - y) ** 2 + (xx - x) ** 2 < r * r] = 1
    return (2 * mask + 0.7 * torch.randn(16, 16, generator=generator))[None], mask[None]


def flipped(picture):
    for axis in (1, 2):
        if torch.rand(()) < 0.5:
            picture = picture.flip(axis)
    return picture


class Leaves(Dataset):
    def __init__(self, count, together):
        generator = torch.Generator().manual_seed(3)
        self.scenes, self.together = [scene(generator) for _ in range(count)], together

    def __len__(self):
        return len(self.scenes)

    def __getitem__(self, i):
        image, mask = self.scenes[i]
        if self.together:
            return tuple(flipped(torch.cat([image, mask])).split(1))
        return flipped(image), flipped(mask)


def main(together):
    torch.manual_seed(3)
    loader = DataLoader(Leaves(160, together), batch_size=16, shuffle=True)
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(8):
        total = 0.0
        for image, mask in loader:
            loss = nn.functional.binary_cross_entropy_with_logits(net(image), mask)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(epoch, total / len(loader))
    return net, optimizer


def sick():
    return main(together=False)


def well():
    return main(together=True)


if __name__ == "__main__":
    sick()
