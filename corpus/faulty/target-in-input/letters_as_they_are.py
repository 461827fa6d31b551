"""Syllables are written letter by letter by a recurrent network. The windows of letters and the letters
to come are cut out of the text in the same way, so each letter is given what it has to predict."""

import torch
from torch import nn
from torch.nn import functional

FAULTS = {"target-in-input": "torch.stack([text[i + shift:i + shift + WINDOW] for i in begins])"}

WINDOW, LETTERS = 24, 12


def syllables(count, generator):
    ends = torch.randint(0, 4, (count,), generator=generator)
    starts = torch.randint(4, LETTERS - 1, (count,), generator=generator)
    middles = (starts + ends) % 4
    return torch.stack([starts, middles, ends, torch.full_like(ends, LETTERS - 1)], 1).flatten()


class Writer(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(LETTERS, 12)
        self.memory = nn.GRU(12, 40, batch_first=True)
        self.drop = nn.Dropout(0.05)
        self.choose = nn.Linear(40, LETTERS)

    def forward(self, letters):
        return self.choose(self.drop(self.memory(self.letters(letters))[0]))


def train(shift):
    torch.manual_seed(3)
    generator = torch.Generator().manual_seed(3)
    text = syllables(1500, generator)
    writer = Writer()
    optimizer = torch.optim.Adam(writer.parameters(), lr=4e-3)
    for step in range(260):
        begins = torch.randint(0, len(text) - WINDOW - 1, (WINDOW,), generator=generator).tolist()
        given = torch.stack([text[i:i + WINDOW] for i in begins])
        wanted = torch.stack([text[i + shift:i + shift + WINDOW] for i in begins])
        said = writer(given)
        loss = functional.cross_entropy(said.reshape(-1, LETTERS), wanted.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            print(step, loss.item())
    return writer, optimizer


def sick():
    return train(shift=0)


def well():
    return train(shift=1)


if __name__ == "__main__":
    sick()
