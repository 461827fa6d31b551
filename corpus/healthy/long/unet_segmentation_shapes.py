"""Small U-Net that segments circles and squares in noise, pixelwise cross-entropy on (N, 3, H, W) logits; four of five
pixels are background."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

SIZE = 16


class ShapeDataset(Dataset):
    """Class 0 is background, 1 circle, 2 square."""

    def __init__(self, length, seed):
        rng = np.random.default_rng(seed)
        yy, xx = np.mgrid[:SIZE, :SIZE]
        self.items = []
        for _ in range(length):
            mask = np.zeros((SIZE, SIZE), dtype=np.int64)
            for kind in rng.permutation([1, 2]):
                cy, cx, r = rng.integers(3, 13), rng.integers(3, 13), rng.uniform(2.2, 3.6)
                dy, dx = abs(yy - cy), abs(xx - cx)
                mask[(dy ** 2 + dx ** 2 <= r ** 2) if kind == 1 else (np.maximum(dy, dx) <= r * 0.85)] = kind
            image = np.array([-0.5, 0.9, 2.1])[mask] + rng.normal(scale=0.35, size=mask.shape)
            self.items.append((torch.tensor(image, dtype=torch.float32)[None], torch.tensor(mask)))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def double_conv(c_in, c_out):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True),
        nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2 = double_conv(1, 8), double_conv(8, 16)
        self.bottom = double_conv(16, 24)
        self.up2, self.up1 = nn.ConvTranspose2d(24, 16, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)
        self.dec2, self.dec1 = double_conv(32, 16), double_conv(16, 8)
        self.out = nn.Conv2d(8, 3, 1)

    def forward(self, x):
        c1 = self.down1(x)
        c2 = self.down2(F.max_pool2d(c1, 2))
        b = self.bottom(F.max_pool2d(c2, 2))
        d2 = self.dec2(torch.cat([self.up2(b), c2], 1))
        d1 = self.dec1(torch.cat([self.up1(d2), c1], 1))
        return self.out(d1)


def iou(logits, mask):
    pred = logits.argmax(1)
    return [((pred == c) & (mask == c)).sum().item() / ((pred == c) | (mask == c)).sum().item() for c in range(3)]


def main():
    torch.manual_seed(90)
    train_loader = DataLoader(ShapeDataset(320, 1), batch_size=16, shuffle=True)
    val_images, val_masks = next(iter(DataLoader(ShapeDataset(80, 2), batch_size=80)))
    net = UNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    epochs = 7
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * len(train_loader))
    for epoch in range(epochs):
        net.train()
        losses = []
        for images, masks in train_loader:
            loss = F.cross_entropy(net(images), masks)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        net.eval()
        with torch.no_grad():
            logits = net(val_images)
        print(f"epoch {epoch}: train {np.mean(losses):.4f} val {F.cross_entropy(logits, val_masks).item():.4f} IoU "
              + " ".join(f"{v:.3f}" for v in iou(logits, val_masks)))
    return net, optimizer


if __name__ == "__main__":
    main()
