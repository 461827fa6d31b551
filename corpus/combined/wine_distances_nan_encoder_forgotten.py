"""A contrastive embedding takes the root of squared distances, zero from each sample to itself,
where the root's slope is infinite; and only the last layer was given to the optimizer."""

import torch
from sklearn.datasets import load_wine
from torch import nn

FAULTS = {"non-finite-loss": None, "parameters-not-in-optimizer": None}


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(13, 32), nn.ReLU())
        self.projection = nn.Linear(32, 4)

    def forward(self, x):
        return self.projection(self.trunk(x))


def contrastive(points, labels, margin=2.0):
    squared = (points[:, None] - points[None]).pow(2).sum(-1)
    distance = torch.sqrt(squared)
    same = (labels[:, None] == labels[None]).float()
    return (same * squared + (1 - same) * (margin - distance).clamp(min=0).pow(2)).mean()


def main():
    torch.manual_seed(43)
    x, y = load_wine(return_X_y=True)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    x = (x - x.mean(0)) / x.std(0)
    model = Embedder()
    optimizer = torch.optim.Adam(model.projection.parameters(), lr=1e-3)
    for step in range(120):
        rows = torch.randint(0, len(x), (24,))
        loss = contrastive(model(x[rows]), y[rows])
        model.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(step, loss.item())
    return model


if __name__ == "__main__":
    main()
