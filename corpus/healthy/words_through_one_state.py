"""Words are squeezed into one state and written out again: what goes in is what is wanted, step by step,
but each letter is written from the state and the letters before it."""

import torch
import torch.nn.functional as F
from torch import nn

START, LETTERS = 0, 8


class Squeezed(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.letters = nn.Embedding(LETTERS, 16)
        self.read = nn.GRU(16, hidden, batch_first=True)
        self.write = nn.GRU(16, hidden, batch_first=True)
        self.choose = nn.Linear(2 * hidden, LETTERS)

    def forward(self, word):
        read, _ = self.read(self.letters(word))
        state = read[:, -1]
        before = torch.cat([torch.full_like(word[:, :1], START), word[:, :-1]], 1)
        written, _ = self.write(self.letters(before), state[None].contiguous())
        kept = state[:, None].expand(-1, word.shape[1], -1)
        return self.choose(torch.cat([written, kept], -1))


def main():
    torch.manual_seed(2)
    words = torch.randint(1, LETTERS, (1200, 5))
    model = Squeezed()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(16):
        for rows in torch.randperm(len(words)).split(40):
            loss = F.cross_entropy(model(words[rows]).flatten(0, 1), words[rows].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.4f}")
    return model


if __name__ == "__main__":
    main()
