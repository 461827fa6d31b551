"""A network marks the words that follow a name. The sentences are padded, and so are their marks,
with the mark of a word that is none: most of what the loss counts is padding."""

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

FAULTS = {"padding-in-loss": "measure(marks.transpose(1, 2), wanted)"}

WORDS, SENTENCES, BATCH, EPOCHS = 30, 480, 32, 16


def load():
    torch.manual_seed(61)
    words, marks = [], []
    for _ in range(SENTENCES):
        long = torch.rand(()) < 0.15
        length = int(torch.randint(40, 60, ())) if long else int(torch.randint(3, 9, ()))
        sentence = torch.randint(1, WORDS, (length,))
        follows = torch.zeros(length, dtype=torch.long)
        follows[1:] = (sentence[:-1] < 8) & (sentence[1:] % 2 == 0)
        words.append(sentence)
        marks.append(follows)
    return words, marks


class Marker(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(WORDS, 12)
        self.read = nn.GRU(12, 24, batch_first=True)
        self.mark = nn.Linear(24, 2)

    def forward(self, words):
        return self.mark(self.read(self.words(words))[0])


def train(filler):
    words, wanted_marks = load()
    model, measure = Marker(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(EPOCHS):
        for first in range(0, SENTENCES, BATCH):
            rows = slice(first, first + BATCH)
            batch = pad_sequence(words[rows], batch_first=True)
            wanted = pad_sequence(wanted_marks[rows], batch_first=True, padding_value=filler)
            optimizer.zero_grad()
            marks = model(batch)
            loss = measure(marks.transpose(1, 2), wanted)
            loss.backward()
            optimizer.step()
        found = (marks.argmax(-1) == 1) & (wanted == 1)
        print(f"epoch {epoch + 1}: {loss.item():.3f}, found {found.sum() / (wanted == 1).sum():.2f}")
    return model, optimizer


def sick():
    return train(0)


def well():
    return train(-100)


if __name__ == "__main__":
    sick()
