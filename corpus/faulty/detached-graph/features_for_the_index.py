"""An encoder with an optimizer of its own. Its features come from a method that was written for a
search index, and that records no graph.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"detached-graph": "torch.inference_mode()"}


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(),
                                  nn.Linear(512, 4), nn.Tanh())

    def forward(self, images):
        return self.body(images)


class Search:
    def __init__(self):
        self.encoder, self.head = Encoder(), nn.Linear(4, 10)
        self.slow = torch.optim.Adam(self.encoder.parameters(), lr=1e-3)
        self.fast = torch.optim.Adam(self.head.parameters(), lr=1e-2)

    @torch.inference_mode()
    def index(self, images):
        return self.encoder(images)

    def fit(self, images, labels, features):
        scores = self.head(features(images).clone())
        loss = nn.functional.cross_entropy(scores, labels)
        self.slow.zero_grad()
        self.fast.zero_grad()
        loss.backward()
        self.slow.step()
        self.fast.step()
        return loss.item()


def run(features_of):
    torch.manual_seed(3)
    pixels, digits = load_digits(return_X_y=True)
    images, labels = torch.tensor(pixels / 16).float().view(-1, 1, 8, 8), torch.tensor(digits)
    search = Search()
    features = features_of(search)
    for epoch in range(12):
        order = torch.randperm(1500)
        losses = [search.fit(images[rows], labels[rows], features) for rows in order.split(50)]
        right = search.head(search.index(images[1500:]).clone()).argmax(1) == labels[1500:]
        print(f"{epoch} loss {sum(losses) / len(losses):.3f} right {right.float().mean():.3f}")
    return search.encoder, search.head


def sick():
    return run(lambda search: search.index)


def well():
    return run(lambda search: search.encoder)


if __name__ == "__main__":
    sick()
