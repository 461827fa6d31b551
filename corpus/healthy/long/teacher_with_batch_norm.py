"""Two views of each digit meet in a student and a slow teacher, whose batch normalisation is in train
mode on purpose; the student's features tell the digits apart."""

import copy

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F


def block(inputs, hidden, outputs):
    return nn.Sequential(nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(),
                         nn.Linear(hidden, outputs))


def view(x):
    return x * (torch.rand_like(x) > 0.2) + 0.1 * torch.randn_like(x)


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.student, self.guess = block(64, 96, 32), block(32, 64, 32)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    def loss(self, a, b):
        mine = self.guess(self.student(a)), self.guess(self.student(b))
        with torch.no_grad():
            theirs = self.teacher(b), self.teacher(a)
        return 2 - sum(F.cosine_similarity(x, y).mean() for x, y in zip(mine, theirs, strict=True))

    @torch.no_grad()
    def follow(self):
        for slow, fast in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            slow.lerp_(fast, 0.03)


def nearest(features, labels):
    features = F.normalize(features, dim=1)
    closest = (features[1200:] @ features[:1200].T).argmax(1)
    return (labels[:1200][closest] == labels[1200:]).float().mean()


def main():
    torch.manual_seed(0)
    x, y = map(torch.tensor, load_digits(return_X_y=True))
    x = x.float() / 16
    pair = Pair()
    optimizer = torch.optim.Adam([*pair.student.parameters(), *pair.guess.parameters()], lr=2e-3)
    for epoch in range(12):
        for rows in torch.randperm(1200).split(60):
            loss = pair.loss(view(x[rows]), view(x[rows]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            pair.follow()
        pair.eval()
        with torch.no_grad():
            right = nearest(pair.student(x), y)
        pair.train()
        print(epoch, f"{loss:.3f} {right:.3f}")
    return pair, optimizer


if __name__ == "__main__":
    main()
