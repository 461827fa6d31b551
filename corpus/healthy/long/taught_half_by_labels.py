"""A small network learns digits from a mixture: half of each target is the label, half is what a larger
network says of another view of the same image.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn


def main():
    torch.manual_seed(14)
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images, dtype=torch.float32) / 8 - 0.6
    shuffled = torch.randperm(len(images))
    images, labels = images[shuffled], torch.tensor(labels)[shuffled]
    known = nn.functional.one_hot(labels, 10).float()
    large = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    small = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    teacher = torch.optim.Adam(large.parameters(), lr=2e-3)
    for epoch in range(12):
        for rows in torch.randperm(1400).split(50):
            loss = nn.functional.cross_entropy(large(images[rows]), labels[rows])
            teacher.zero_grad()
            loss.backward()
            teacher.step()
    pupil = torch.optim.Adam(small.parameters(), lr=3e-3)
    for epoch in range(25):
        for rows in torch.randperm(1400).split(50):
            seen = images[rows] + 0.1 * torch.randn(len(rows), 64)
            other = images[rows] + 0.1 * torch.randn(len(rows), 64)
            with torch.no_grad():
                said = large(other).softmax(1)
            wanted = 0.5 * known[rows] + 0.5 * said
            loss = nn.functional.cross_entropy(small(seen), wanted)
            pupil.zero_grad()
            loss.backward()
            pupil.step()
        if epoch % 5 == 4:
            with torch.no_grad():
                right = (small(images[1400:]).argmax(1) == labels[1400:]).float().mean().item()
            print(f"epoch {epoch + 1}: loss {loss.item():.3f}, right {right:.3f}")
    return large, small, pupil


if __name__ == "__main__":
    main()
