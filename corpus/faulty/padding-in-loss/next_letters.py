"""A language model of short names, time first. The padding behind the names is -1 in the inputs'
vocabulary plus one, and ignore_index names another number, so that it leaves out nothing."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"padding-in-loss": "F.cross_entropy(logits, wanted, ignore_index=leave_out)"}

LETTERS, PAD, LONGEST = 9, 9, 80


def names(n):
    follows = torch.rand(LETTERS, LETTERS).pow(12)
    made = torch.full((LONGEST, n), PAD)
    for column in range(n):
        letter = int(torch.randint(0, LETTERS, ()))
        for place in range(int(torch.randint(3, 11, ()))):
            made[place, column] = letter
            letter = int(torch.multinomial(follows[letter], 1))
    return made


class Namer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(LETTERS + 1, 16)
        self.lstm = nn.LSTM(16, 32)
        self.head = nn.Linear(32, LETTERS + 1)

    def forward(self, letters):
        return self.head(self.lstm(self.embed(letters))[0])


def fit(leave_out):
    torch.manual_seed(2)
    every = names(400)
    namer = Namer()
    optimizer = torch.optim.SGD(namer.parameters(), lr=1.0)
    for epoch in range(10):
        for columns in torch.randperm(400).split(25):
            batch = every[:, columns]
            logits = namer(batch[:-1]).permute(1, 2, 0)
            wanted = batch[1:].T
            loss = F.cross_entropy(logits, wanted, ignore_index=leave_out)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(namer.parameters(), 2.0)
            optimizer.step()
        print(epoch, round(loss.item(), 3))
    return namer, optimizer


def sick():
    return fit(leave_out=-1)


def well():
    return fit(leave_out=PAD)


if __name__ == "__main__":
    sick()
