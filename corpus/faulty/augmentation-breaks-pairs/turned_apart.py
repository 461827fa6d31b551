"""Cracks in noisy X-rays of welds. The picture and its map are mirrored and turned by one function,
called once for each, which throws its dice anew: most maps show the crack at another place."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"augmentation-breaks-pairs": "thrown(self.cracks[row])"}


def welds(count, side=18):
    start = 3 + (side - 6) * torch.rand(count, 1, 1)
    slope, bend = 1.2 * torch.rand(count, 1, 1) - 0.2, 0.6 * torch.rand(count, 1, 1)
    across = torch.arange(side, dtype=torch.float32)
    middle = start + slope * (across[None, None] - 4) + bend * torch.sin(across)[None, None]
    near = (across[None, :, None] - middle).abs() < 1.3
    cracks = (near & (across[None, None] < 11)).float().unsqueeze(1)
    return 1.6 * cracks + 0.7 * torch.randn(count, 1, side, side), cracks


def thrown(picture):
    if torch.rand(1) < 0.5:
        picture = picture.flip(2)
    return torch.rot90(picture, int(torch.randint(4, (1,))), (1, 2))


def thrown_together(picture, crack):
    both = thrown(torch.cat([picture, crack]))
    return both[:1], both[1:]


class Welds(Dataset):
    def __init__(self, pictures, cracks, together):
        self.pictures, self.cracks, self.together = pictures, cracks, together

    def __len__(self):
        return len(self.cracks)

    def __getitem__(self, row):
        if self.together:
            return thrown_together(self.pictures[row], self.cracks[row])
        return thrown(self.pictures[row]), thrown(self.cracks[row])


def train(together):
    torch.manual_seed(22)
    pictures, cracks = welds(520)
    loader = DataLoader(Welds(pictures[:400], cracks[:400], together), 20, shuffle=True)
    model = nn.Sequential(
        nn.Conv2d(1, 10, 5, padding=2), nn.ReLU(), nn.Conv2d(10, 10, 3, padding=1), nn.ReLU(),
        nn.Conv2d(10, 1, 3, padding=1))
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(10):
        for x, crack in loader:
            loss = criterion(model(x), crack)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            found = model(pictures[400:]) > 0
        there = cracks[400:] > 0
        overlap = (found & there).sum() / (found | there).sum()
        print(epoch, f"{loss.item():.3f} {overlap:.3f}")
    return model, optimizer


def sick():
    return train(together=False)


def well():
    return train(together=True)


if __name__ == "__main__":
    sick()
