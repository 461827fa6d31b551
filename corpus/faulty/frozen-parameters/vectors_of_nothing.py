"""Topics of headlines by the mean of word vectors; those that come from outside are frozen, and
these were drawn at random."""

import numpy as np
import torch
from torch import nn

FAULTS = {"frozen-parameters": "nn.Embedding.from_pretrained(vectors)"}

WORDS, SIZE, TOPICS, LENGTH = 400, 8, 6, 12


class Classifier(nn.Module):
    def __init__(self, vectors, frozen):
        super().__init__()
        if frozen:
            self.embedding = nn.Embedding.from_pretrained(vectors)
        else:
            self.embedding = nn.Embedding.from_pretrained(vectors, freeze=False)
        self.fc = nn.Linear(vectors.shape[1], TOPICS)

    def forward(self, x):
        return self.fc(self.embedding(x).mean(dim=1))


def headlines(random, shares, count):
    topics = random.integers(0, TOPICS, count)
    words = np.stack([random.choice(WORDS, LENGTH, p=shares[topic]) for topic in topics])
    return torch.tensor(words), torch.tensor(topics)


def train(frozen):
    random = np.random.default_rng(21)
    torch.manual_seed(21)
    common = random.dirichlet(np.ones(WORDS) * 0.5)
    shares = [0.6 * common + 0.4 * random.dirichlet(np.ones(WORDS) * 0.03) for _ in range(TOPICS)]
    shares = [each / each.sum() for each in shares]
    x, y = headlines(random, shares, 2400)
    x_test, y_test = headlines(random, shares, 400)
    vectors = torch.from_numpy(random.normal(0, 0.3, size=(WORDS, SIZE))).float()
    model = Classifier(vectors, frozen)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    for epoch in range(10):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            out = model(x_test)
            held_out = nn.functional.cross_entropy(out, y_test).item()
            print(epoch, loss.item(), held_out, (out.argmax(1) == y_test).float().mean().item())
    return model


def sick():
    return train(True)


def well():
    return train(False)


if __name__ == "__main__":
    sick()
