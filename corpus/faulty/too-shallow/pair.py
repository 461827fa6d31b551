"""Which of two moons a point lies on, asked of a single layer: a straight line is the best that it
can draw, and the loss stays where that line leaves it."""

import torch
from sklearn.datasets import make_moons
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

FAULTS = {"too-shallow": "nn.Linear(2, 1)"}


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.plane = nn.Linear(2, 1)

    def forward(self, point):
        return self.plane(point)[:, 0]


class Curve(nn.Module):
    def __init__(self):
        super().__init__()
        self.bend = nn.Linear(2, 24)
        self.fold = nn.Linear(24, 24)
        self.plane = nn.Linear(24, 1)

    def forward(self, point):
        return self.plane(torch.relu(self.fold(torch.relu(self.bend(point)))))[:, 0]


def separate(model, passes):
    points, moon = make_moons(500, noise=0.1, random_state=8)
    points, moon = torch.tensor(points).float(), torch.tensor(moon).float()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(passes):
        for rows in torch.randperm(500).chunk(10):
            optimizer.zero_grad()
            loss = bce(model(points[rows]), moon[rows])
            loss.backward()
            optimizer.step()
    print(f"loss {bce(model(points), moon).item():.3f}")
    return model, optimizer


def sick():
    torch.manual_seed(1)
    model = Line()
    return separate(model, passes=60)


def well():
    torch.manual_seed(1)
    model = Curve()
    return separate(model, passes=60)


if __name__ == "__main__":
    sick()
