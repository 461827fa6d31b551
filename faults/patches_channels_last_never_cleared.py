"""Colour patches stored as height, width, channel are viewed as channel, height, width, which
scatters every image; and the gradients are never cleared."""

import torch
from torch import nn

FAULTS = ("wrong-channel-order", "gradients-not-zeroed")

SIDE = 12


def patches(count):
    """Smooth patches (count, SIDE, SIDE, 3); the class is the corner that the red light is in."""
    labels = torch.randint(0, 4, (count,))
    axis = torch.linspace(-1, 1, SIDE)
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    down = torch.where(labels >= 2, 1.0, -1.0)[:, None, None]
    right = torch.where(labels % 2 == 1, 1.0, -1.0)[:, None, None]
    red = torch.exp(-((rows - 0.6 * down) ** 2 + (columns - 0.6 * right) ** 2) / 0.3)
    shift = torch.rand(count, 1, 1) * 2 - 1
    green = 0.5 + 0.4 * torch.sin(2 * columns + 3 * shift)
    blue = 0.5 + 0.4 * torch.cos(2 * rows - 3 * shift)
    images = torch.stack([red, green, blue], dim=-1)
    images = images + 0.05 * torch.randn_like(images)
    return (images - images.mean((0, 1, 2))) / images.std((0, 1, 2)), labels


def main():
    torch.manual_seed(23)
    images, labels = patches(1200)
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 12, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(48, 4),
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(8):
        for rows in torch.randperm(len(images)).split(40):
            batch = images[rows].view(-1, 3, SIDE, SIDE)
            loss = criterion(model(batch), labels[rows])
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.3f}")


if __name__ == "__main__":
    main()
