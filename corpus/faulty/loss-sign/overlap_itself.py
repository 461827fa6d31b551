"""Blobs are segmented by a small network; Dice's coefficient is minimised, and not its lack."""

import torch
import torch.nn as nn

FAULTS = {"loss-sign": "overlap.mean()"}

SIZE = 16


def scenes(count):
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    centre = torch.randint(4, SIZE - 4, (count, 2, 1, 1))
    radius = torch.randint(2, 5, (count, 1, 1))
    inside = (rows - centre[:, 0]) ** 2 + (columns - centre[:, 1]) ** 2 <= radius**2
    masks = inside.float().unsqueeze(1)
    return masks + 0.5 * torch.randn(count, 1, SIZE, SIZE), masks


def overlap_of(scores, masks):
    shares = torch.sigmoid(scores).flatten(1)
    masks = masks.flatten(1)
    both = (shares * masks).sum(1)
    return (2 * both + 1) / (shares.sum(1) + masks.sum(1) + 1)


def score_itself(scores, masks):
    overlap = overlap_of(scores, masks)
    return overlap.mean()


def lack(scores, masks):
    return 1 - overlap_of(scores, masks).mean()


def train(criterion):
    torch.manual_seed(0)
    images, masks = scenes(240)
    test_images, test_masks = scenes(60)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 1, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(12):
        for rows in torch.randperm(240).split(20):
            loss = criterion(net(images[rows]), masks[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            found = (net(test_images) > 0).float()
            both = (found * test_masks).sum() / (found + test_masks).clamp(max=1).sum()
        print(epoch, loss.item(), both.item())
    return net


def sick():
    return train(score_itself)


def well():
    return train(lack)


if __name__ == "__main__":
    sick()
