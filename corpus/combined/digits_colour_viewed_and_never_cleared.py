"""Colour images stored as height, width, channel are viewed as channel, height, width, which tears
every image apart; and the gradients are never cleared."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"wrong-channel-order": None, "gradients-not-zeroed": None}


def coloured_digits():
    """Digits in random light colours on black, (1797, 8, 8, 3)."""
    bunch = load_digits()
    ink = torch.tensor(bunch.images, dtype=torch.float32)[..., None] / 16
    colour = 0.5 + 0.5 * torch.rand(len(ink), 1, 1, 3)
    images = ink * colour
    return (images - images.mean((0, 1, 2))) / images.std((0, 1, 2)), torch.tensor(bunch.target)


def main():
    torch.manual_seed(23)
    images, labels = coloured_digits()
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(10):
        hits = 0
        for rows in torch.randperm(len(images)).split(40):
            batch = images[rows]
            logits = model(batch.view(-1, 3, 8, 8))
            loss = criterion(logits, labels[rows])
            loss.backward()
            optimizer.step()
            hits += (logits.argmax(1) == labels[rows]).sum().item()
        print(f"epoch {epoch}: accuracy {hits / len(images):.3f}")
    return model


if __name__ == "__main__":
    main()
