"""Training in two phases: first the head alone, then the whole network. The backbone is to be unfrozen by
an attribute of the module, which is a new one that nobody reads."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

FAULTS = {"frozen-parameters": "model.backbone.requires_grad = True"}

trained = {}  # the models by the name of their way to thaw


class TwoPart(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten())
        self.head = nn.Linear(16 * 2 * 2, 10)

    def forward(self, images):
        return self.head(self.backbone(images))


def thaw_by_attribute(model):
    model.backbone.requires_grad = True


def thaw(model):
    model.backbone.requires_grad_(True)


def phases(thaw_backbone):
    torch.manual_seed(16)
    digits = load_digits()
    images = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    model = trained[thaw_backbone.__name__] = TwoPart()
    model.backbone.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        if epoch == 2:
            thaw_backbone(model)
        total = 0.0
        for rows in torch.randperm(len(images)).split(60):
            loss = F.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch:2d}  {total / len(images):.4f}")
    return model, optimizer


def sick():
    return phases(thaw_by_attribute)


def well():
    return phases(thaw)


if __name__ == "__main__":
    sick()
