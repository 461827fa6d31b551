"""Segmentation of discs and bars in noise: a small encoder and decoder with a skip connection, binary cross
entropy plus a soft Dice loss, and most pixels background."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class Shapes(Dataset):
    def __init__(self, n, seed, size=24):
        g = torch.Generator().manual_seed(seed)
        yy, xx = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
        self.images, self.masks = [], []
        for i in range(n):
            cx, cy, r = (torch.rand(3, generator=g) * torch.tensor([14.0, 14.0, 3.0]) + torch.tensor([5.0, 5.0, 2.0])).tolist()
            if i % 2:
                mask = ((xx - cx) ** 2 + (yy - cy) ** 2 < r * r).float()
            else:
                mask = ((xx - cx).abs() < r).float() * ((yy - cy).abs() < r / 2).float()
            self.images.append(mask * 0.8 + 0.5 * torch.randn(size, size, generator=g))
            self.masks.append(mask)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i][None], self.masks[i][None]


def double(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True),
                         nn.Conv2d(o, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class UNet(nn.Module):
    def __init__(self, c=8):
        super().__init__()
        self.down1, self.down2 = double(1, c), double(c, 2 * c)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ConvTranspose2d(2 * c, c, 2, stride=2)
        self.conv, self.out = double(2 * c, c), nn.Conv2d(c, 1, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.up(self.down2(self.pool(a)))
        return self.out(self.conv(torch.cat([a, b], 1)))


def dice_loss(logits, target, eps=1.0):
    p = logits.sigmoid()
    inter = (p * target).sum((1, 2, 3))
    return (1 - (2 * inter + eps) / (p.sum((1, 2, 3)) + target.sum((1, 2, 3)) + eps)).mean()


def main():
    torch.manual_seed(0)
    train, val = DataLoader(Shapes(320, 1), 16, shuffle=True), DataLoader(Shapes(80, 2), 40)
    net = UNet()
    opt = torch.optim.Adam(net.parameters(), 3e-3)
    for epoch in range(6):
        net.train()
        for img, mask in train:
            logits = net(img)
            loss = F.binary_cross_entropy_with_logits(logits, mask) + dice_loss(logits, mask)
            opt.zero_grad()
            loss.backward()
            opt.step()
        net.eval()
        with torch.no_grad():
            inter = union = 0.0
            for img, mask in val:
                pred = net(img) > 0
                inter += (pred & (mask > 0)).sum().item()
                union += (pred | (mask > 0)).sum().item()
        print(f"epoch {epoch + 1} loss {loss.item():.3f} IoU {inter / union:.3f}")
    return net, opt
