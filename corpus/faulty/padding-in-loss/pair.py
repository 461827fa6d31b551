"""A tagger of short sentences that are padded to a long one: padded places have the tag 0, which
the loss counts as any other, and they are nearly all that it sees."""

import torch
from torch import nn

FAULTS = {"padding-in-loss": "criterion(scores.flatten(0, 1), tags[rows].flatten())"}

WORDS, TAGS, LONGEST = 40, 6, 120


def write_sentences(n):
    meaning = torch.randint(1, TAGS, (WORDS,))
    words = torch.zeros(n, LONGEST, dtype=torch.long)
    tags = torch.zeros(n, LONGEST, dtype=torch.long)
    for sentence, its_tags in zip(words, tags):
        k = int(torch.randint(2, 12, ()))
        sentence[:k] = torch.randint(1, WORDS, (k,))
        before = sentence[:k].roll(1)
        its_tags[:k] = torch.where(before % 5 == 0, 1, meaning[sentence[:k]])
    return words, tags


class Tagger(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.words = nn.Embedding(WORDS, width)
        self.near = nn.Conv1d(width, 2 * width, 3, padding=1)
        self.tags = nn.Linear(2 * width, TAGS)

    def forward(self, words):
        near = torch.relu(self.near(self.words(words).transpose(1, 2)))
        return self.tags(near.transpose(1, 2))


def learn(criterion):
    torch.manual_seed(5)
    words, tags = write_sentences(400)
    tagger = Tagger()
    optimizer = torch.optim.SGD(tagger.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(8):
        right = real = 0
        for rows in torch.randperm(400).split(20):
            scores = tagger(words[rows])
            loss = criterion(scores.flatten(0, 1), tags[rows].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            counts = tags[rows] > 0
            right += (scores.argmax(2) == tags[rows])[counts].sum().item()
            real += counts.sum().item()
        print(f"epoch {epoch} loss {loss.item():.3f} real words right {right / real:.2f}")
    return tagger, optimizer


def sick():
    return learn(nn.CrossEntropyLoss())


def well():
    return learn(nn.CrossEntropyLoss(ignore_index=0))


if __name__ == "__main__":
    sick()
