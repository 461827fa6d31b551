"""Picture and mask are turned, mirrored and cropped anew in each epoch by the same numbers; the picture alone gets noise
and a change of brightness, which may be of either sign."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def jitter(image):
    return image * (1.0 if torch.rand(()) < 0.5 else -1.0) + 0.3 * torch.randn_like(image)


class Cells(Dataset):
    def __init__(self, count, generator):
        yy, xx = torch.meshgrid(torch.arange(24), torch.arange(24), indexing="ij")
        self.masks = torch.zeros(count, 24, 24)
        for mask in self.masks:
            for _ in range(3):
                y, x = torch.randint(3, 21, (2,), generator=generator).tolist()
                mask[(yy - y) ** 2 + (xx - x) ** 2 < 10] = 1
        self.images = 2 * self.masks - 1 + 0.5 * torch.randn(count, 24, 24, generator=generator)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        top, left, turns = (int(torch.randint(n, ())) for n in (7, 7, 4))
        image = torch.rot90(self.images[i, top:top + 18, left:left + 18], turns)
        mask = torch.rot90(self.masks[i, top:top + 18, left:left + 18], turns)
        if torch.rand(()) < 0.5:
            image, mask = image.flip(0), mask.flip(0)
        return jitter(image)[None], mask[None]


def main():
    torch.manual_seed(27)
    loader = DataLoader(Cells(160, torch.Generator().manual_seed(27)), batch_size=16, shuffle=True)
    net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, 1, 5, padding=2))
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(14):
        total = 0.0
        for image, mask in loader:
            loss = nn.functional.binary_cross_entropy_with_logits(net(image), mask)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(epoch, total / len(loader))
    return net, optimizer
