"""The labels of the pairs say 1 where the images differ; the contrastive loss takes 1 for the same."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"loss-sign": "(pull + push).mean()"}


class Contrastive(nn.Module):
    def __init__(self, margin):
        super().__init__()
        self.margin = margin

    def forward(self, left, right, label):
        distance = (left - right).pow(2).sum(1).add(1e-8).sqrt()
        pull = label * distance.pow(2)
        push = (1 - label) * torch.relu(self.margin - distance).pow(2)
        return (pull + push).mean()


def pairs(labels, number, generator):
    """Half of them of one class, and what their label is."""
    left = torch.randint(len(labels), (number,), generator=generator)
    right = torch.randint(len(labels), (number,), generator=generator)
    for place in range(0, number, 2):
        same = torch.nonzero(labels == labels[left[place]]).flatten()
        right[place] = same[torch.randint(len(same), (1,), generator=generator)[0]]
    return left, right, labels[left] == labels[right]


def train(similar):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16.0, dtype=torch.float32), torch.tensor(y)
    order = torch.randperm(len(x), generator=generator)
    x, y = x[order], y[order]
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    criterion = Contrastive(margin=1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    left, right, same = pairs(y[:1400], 4000, generator)
    label = (same == similar).float()
    for epoch in range(5):
        total = 0.0
        for rows in torch.randperm(len(left), generator=generator).split(50):
            loss = criterion(model(x[left[rows]]), model(x[right[rows]]), label[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 80
        print(epoch, f"{total:.4f}")
    a, b, same = pairs(y[1400:], 300, generator)
    with torch.no_grad():
        distance = (model(x[1400:][a]) - model(x[1400:][b])).norm(dim=1)
    print(f"same {distance[same].mean():.3f} others {distance[~same].mean():.3f}")
    return model, optimizer


def sick():
    return train(similar=False)


def well():
    return train(similar=True)


if __name__ == "__main__":
    sick()
