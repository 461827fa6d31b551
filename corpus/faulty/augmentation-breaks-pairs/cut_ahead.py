"""Lakes seen from above, three mirrored cuttings of each scene made ahead of the training: the scenes are
cut by one generator of random numbers, and the maps of their water by another."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"augmentation-breaks-pairs": "pieces(maps[:90], seeds[1])"}

WHOLE, CUT, COPIES = 22, 16, 3


def lakes(rng):
    """A scene with two or three lakes, dark in it, and the map of these."""
    north, east = np.mgrid[:WHOLE, :WHOLE]
    water = np.zeros((WHOLE, WHOLE), dtype=bool)
    for _ in range(rng.integers(2, 4)):
        y, x = rng.uniform(4, WHOLE - 4, 2)
        long, wide = rng.uniform(2, 5, 2)
        water |= ((north - y) / long) ** 2 + ((east - x) / wide) ** 2 < 1
    scene = rng.normal(0.5, 0.5, water.shape) - 1.6 * water
    return scene.astype(np.float32), water.astype(np.float32)


def piece(plane, draw):
    top, left = draw.integers(WHOLE - CUT + 1, size=2)
    plane = plane[top:top + CUT, left:left + CUT]
    plane = plane[::-1] if draw.random() < 0.5 else plane
    return plane[:, ::-1] if draw.random() < 0.5 else plane


def pieces(planes, seed):
    draw = np.random.default_rng(seed)
    return as_tensor([piece(plane, draw) for plane in planes for _ in range(COPIES)])


def as_tensor(planes):
    return torch.from_numpy(np.stack(planes))[:, None]


def survey(seeds):
    torch.manual_seed(14)
    rng = np.random.default_rng(14)
    scenes, maps = zip(*[lakes(rng) for _ in range(120)])
    pairs = TensorDataset(pieces(scenes[:90], seeds[0]), pieces(maps[:90], seeds[1]))
    loader = DataLoader(pairs, batch_size=20, shuffle=True)
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.SiLU(), nn.Conv2d(12, 1, 3, padding=1))
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    bce = nn.BCEWithLogitsLoss()
    for epoch in range(8):
        for scene, water in loader:
            optimizer.zero_grad()
            loss = bce(net(scene), water)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            held = bce(net(as_tensor(scenes[90:])), as_tensor(maps[90:]))
        print(f"epoch {epoch}  {loss:.3f}  held out {held:.3f}")
    return net, optimizer


def sick():
    return survey(seeds=(1, 2))


def well():
    return survey(seeds=(1, 1))


if __name__ == "__main__":
    sick()
