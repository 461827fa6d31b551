"""The word vectors and the reader of a sentence are cut off from the loss by a `detach`
that was meant for a plot; only the last layer still hears of its mistakes."""

import torch
import torch.nn as nn
import torch.nn.functional as F

FAULTS = {"detached-graph": "state[-1].detach()"}

VOCABULARY, LENGTH = 30, 12


def sentences(count):
    words = torch.randint(0, VOCABULARY, (count, LENGTH))
    low = (words < VOCABULARY // 2).sum(dim=1)
    return words, (low > LENGTH // 2).long() + (low > LENGTH // 2 - 2).long()


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 8)
        self.lstm = nn.LSTM(8, 16, batch_first=True)
        self.decide = nn.Linear(16, 3)

    def read(self, words):
        _, (state, _) = self.lstm(self.embedding(words))
        return state[-1]

    def forward(self, words):
        return self.decide(self.read(words))


class PlottingReader(Reader):
    def read(self, words):
        _, (state, _) = self.lstm(self.embedding(words))
        self.last_code = state[-1].detach()
        return self.last_code


def fit(reader, steps=320):
    words, mood = sentences(2000)
    test_words, test_mood = sentences(500)
    optimizer = torch.optim.Adam(reader.parameters(), lr=0.01)
    for step in range(1, steps + 1):
        rows = torch.randint(0, 2000, (50,))
        loss = F.cross_entropy(reader(words[rows]), mood[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            with torch.no_grad():
                scores = reader(test_words)
            accuracy = (scores.argmax(1) == test_mood).float().mean().item()
            print(f"step {step}: loss {loss.item():.4f}, test accuracy {accuracy:.3f}")
    return reader, optimizer


def sick():
    torch.manual_seed(14)
    return fit(PlottingReader())


def well():
    torch.manual_seed(14)
    return fit(Reader())


if __name__ == "__main__":
    sick()
