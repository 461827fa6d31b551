"""Words padded to ten letters, a GRU read at the last step: it learns to keep its state over the few
padded steps, so nothing is lost by them."""

import torch
from torch import nn

LETTERS = 12


def words(n):
    tokens = torch.zeros(n, 10, dtype=torch.long)
    first = torch.randint(1, LETTERS, (n,))
    for row, letter in zip(tokens, first.tolist()):
        k = int(torch.randint(6, 11, ()))
        row[:k] = torch.randint(1, LETTERS, (k,))
        row[0] = letter
    return tokens, ((first - 1) % 3)


class Speller(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(LETTERS, 16)
        self.gru = nn.GRU(16, 32, batch_first=True)
        self.out = nn.Linear(32, 3)

    def forward(self, tokens):
        _, last = self.gru(self.letters(tokens))
        return self.out(last.squeeze(0))


def main():
    torch.manual_seed(4)
    tokens, kinds = words(640)
    model = Speller()
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    for epoch in range(10):
        for i in torch.randperm(640).split(32):
            loss = nn.functional.cross_entropy(model(tokens[i]), kinds[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())
    return model, optimizer


if __name__ == "__main__":
    main()
