"""Words are written backwards, by an encoder that reads in both directions and a decoder that is taught
with the true letters before each one."""

import torch
import torch.nn.functional as F
from torch import nn

START, LETTERS = 0, 9


class Backwards(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.letters = nn.Embedding(LETTERS, 16)
        self.read = nn.GRU(16, hidden, batch_first=True, bidirectional=True)
        self.turn = nn.Linear(2 * hidden, hidden)
        self.write = nn.GRU(16, hidden, batch_first=True)
        self.key = nn.Linear(2 * hidden, hidden)
        self.choose = nn.Linear(3 * hidden, LETTERS)

    def forward(self, word, before):
        memory, ends = self.read(self.letters(word))
        state = torch.tanh(self.turn(torch.cat([ends[0], ends[1]], 1)))[None]
        said, _ = self.write(self.letters(before), state)
        seen = torch.softmax(said @ self.key(memory).mT / said.shape[-1] ** 0.5, -1) @ memory
        return self.choose(torch.cat([said, seen], -1))


def main():
    torch.manual_seed(7)
    words = torch.randint(1, LETTERS, (1500, 7))
    model = Backwards()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(14):
        for rows in torch.randperm(len(words)).split(30):
            word = words[rows]
            wanted = word.flip(1)
            before = torch.cat([torch.full((len(word), 1), START), wanted[:, :-1]], 1)
            loss = F.cross_entropy(model(word, before).flatten(0, 1), wanted.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.4f}")
    return model


if __name__ == "__main__":
    main()
