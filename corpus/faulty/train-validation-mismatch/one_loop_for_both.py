"""How full is the glass? One loop goes over both loaders, and one data set has no transform."""
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"train-validation-mismatch": "Glasses(photos[600:], levels[600:])"}


class Glasses(Dataset):
    def __init__(self, photos, levels, transform=None):
        self.photos = photos
        self.levels = levels
        self.transform = transform

    def __len__(self):
        return len(self.photos)

    def __getitem__(self, row):
        photo = torch.from_numpy(self.photos[row]).float()
        if self.transform is not None:
            photo = self.transform(photo)
        return photo, torch.tensor([self.levels[row]], dtype=torch.float32)


def to_unit(photo):
    return (photo / 255 - 0.5) / 0.25


def draw(level, rng):
    rows = np.linspace(1, 0, 10)[:, None]
    photo = np.where(rows < level, 180, 60) + rng.normal(0, 12, (10, 8))
    return photo.clip(0, 255).astype(np.uint8)


def run(both):
    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    levels = rng.uniform(0.05, 0.95, 800)
    photos = np.stack([draw(level, rng) for level in levels])
    first = Glasses(photos[:600], levels[:600], transform=to_unit)
    if both:
        second = Glasses(photos[600:], levels[600:], to_unit)
    else:
        second = Glasses(photos[600:], levels[600:])
    loaders = {"train": DataLoader(first, 30, shuffle=True), "test": DataLoader(second, 30)}
    net = nn.Sequential(nn.Flatten(), nn.Linear(80, 40), nn.ReLU(), nn.Linear(40, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    criterion = nn.MSELoss()
    for epoch in range(10):
        for phase, loader in loaders.items():
            losses = []
            for photo, level in loader:
                with torch.set_grad_enabled(phase == "train"):
                    loss = criterion(net(photo), level)
                if phase == "train":
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                losses.append(loss.item())
            print(epoch, phase, round(float(np.mean(losses)), 4))
    return net, optimizer


def sick():
    return run(both=False)


def well():
    return run(both=True)


if __name__ == "__main__":
    sick()
