"""The loss is handed the labels first and the scores second: it takes the labels for logits, and
falls without end as the scores grow."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

FAULTS = {"output-does-not-fit-loss": "criterion(wanted, scores)"}


def samples():
    cells = load_breast_cancer()
    x = torch.tensor((cells.data - cells.data.mean(0)) / cells.data.std(0), dtype=torch.float32)
    return x, torch.tensor(cells.target, dtype=torch.float32)


class Screening(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1))

    def forward(self, cell):
        return self.layers(cell).squeeze(1)


def train(loss_of):
    torch.manual_seed(2)
    x, y = samples()
    net = Screening()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    for epoch in range(8):
        for rows in torch.randperm(450).split(30):
            optimizer.zero_grad()
            scores = net(x[rows])
            loss = loss_of(scores, y[rows])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            right = ((net(x[450:]) > 0) == (y[450:] > 0.5)).float().mean().item()
        print(f"{epoch} {loss.item():.4f} {right:.3f}")
    return net, optimizer


def sick():
    criterion = nn.BCEWithLogitsLoss()

    def loss_of(scores, wanted):
        return criterion(wanted, scores)

    return train(loss_of)


def well():
    criterion = nn.BCEWithLogitsLoss()

    def loss_of(scores, wanted):
        return criterion(scores, wanted)

    return train(loss_of)


if __name__ == "__main__":
    sick()
