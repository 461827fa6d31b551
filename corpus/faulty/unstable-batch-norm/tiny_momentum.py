"""A momentum of 0.001, ten times smaller than Keras's default for PyTorch: after some hundred
batches the running statistics are still mostly the mean of 0 and variance of 1 of the start, and
evaluation goes by them."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"unstable-batch-norm": "nn.BatchNorm1d(80, momentum=momentum)"}


class Reader(nn.Module):
    def __init__(self, momentum):
        super().__init__()
        self.first = nn.Linear(64, 80)
        self.norm = nn.BatchNorm1d(80, momentum=momentum)
        self.last = nn.Linear(80, 10)

    def forward(self, strokes):
        return self.last(torch.relu(self.norm(self.first(strokes))))


def train(momentum):
    digits = load_digits()
    strokes = torch.tensor(digits.data - digits.data.mean() + 6.0).float() / 4
    labels = torch.tensor(digits.target)
    torch.manual_seed(5)
    order = torch.randperm(len(strokes))
    known, unseen = order[:1300], order[1300:]
    reader = Reader(momentum)
    optimizer = torch.optim.Adam(reader.parameters(), lr=2e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(7):
        reader.train()
        for rows in known[torch.randperm(len(known))].split(32):
            optimizer.zero_grad()
            loss = criterion(reader(strokes[rows]), labels[rows])
            loss.backward()
            optimizer.step()
        reader.eval()
        with torch.no_grad():
            scores = reader(strokes[unseen])
            right = (scores.argmax(1) == labels[unseen]).float().mean().item()
            missed = criterion(scores, labels[unseen]).item()
            print(f"{epoch} {loss.item():.3f} {missed:.3f} {right:.3f}")
    return reader, optimizer


def sick():
    return train(momentum=0.001)


def well():
    return train(momentum=0.05)


if __name__ == "__main__":
    sick()
