"""The next frame of a film is to be told from two: what moves lies elsewhere in the target, in each sample another way."""
import torch
from torch import nn


def films(count, generator):
    yy, xx = torch.meshgrid(torch.arange(18.0), torch.arange(18.0), indexing="ij")
    frames = torch.zeros(count, 3, 18, 18)
    for i in range(count):
        for _ in range(2):
            y, x = (torch.rand(2, generator=generator) * 10 + 4).tolist()
            dy, dx = (torch.randint(-2, 3, (2,), generator=generator)).tolist()
            for t in range(3):
                frames[i, t] += torch.exp(-((yy - y - t * dy) ** 2 + (xx - x - t * dx) ** 2) / 4)
    return frames + 0.05 * torch.randn(frames.shape, generator=generator)


def main():
    torch.manual_seed(26)
    generator = torch.Generator().manual_seed(26)
    known, new = films(240, generator), films(60, generator)
    net = nn.Sequential(nn.Conv2d(2, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, 1, 3, padding=1))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(12):
        for rows in torch.randperm(240).split(20):
            loss = nn.functional.mse_loss(net(known[rows, :2]), known[rows, 2:])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(epoch, f"{loss:.4f} {nn.functional.mse_loss(net(new[:, :2]), new[:, 2:]):.4f}")
    return net, optimizer
