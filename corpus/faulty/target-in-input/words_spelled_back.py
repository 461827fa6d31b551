"""A small decoder reads a word and a bar and writes the word backwards. Its mask was built one
diagonal too far to the right: at each place the model sees the letter that it has to write there.
"""

import torch
from torch import nn
from torch.nn import functional as F

FAULTS = {"target-in-input": "F.scaled_dot_product_attention(q, k, v, attn_mask=mask)"}

LETTERS, LENGTH, WIDTH = 14, 6, 48
BAR = LETTERS  # it stands where the last letter has to be written


def rows(number):
    words = torch.randint(0, LETTERS, (number, LENGTH))
    return torch.hstack([words, torch.full((number, 1), BAR), words.flip(1)])


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.three, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 128), nn.ReLU(), nn.Linear(128, WIDTH))

    def forward(self, x, mask):
        q, k, v = self.three(self.first(x)).unflatten(2, (3, 4, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.mlp(self.second(x))


class Speller(nn.Module):
    def __init__(self, diagonal):
        super().__init__()
        self.letter = nn.Embedding(LETTERS + 1, WIDTH)
        self.place = nn.Parameter(0.1 * torch.randn(2 * LENGTH, WIDTH))
        self.layers = nn.ModuleList(Layer() for _ in range(2))
        self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, LETTERS))
        later = torch.ones(2 * LENGTH, 2 * LENGTH).triu(diagonal=diagonal)
        self.register_buffer("mask", torch.zeros_like(later).masked_fill(later == 1, -torch.inf))

    def forward(self, read):
        x = self.letter(read) + self.place
        for layer in self.layers:
            x = layer(x, self.mask)
        return self.head(x)


def train(diagonal):
    torch.manual_seed(52)
    known, new = rows(1600), rows(300)
    speller = Speller(diagonal)
    optimizer = torch.optim.Adam(speller.parameters(), lr=2e-3)

    def missed(batch):
        logits = speller(batch[:, :-1])
        return F.cross_entropy(logits[:, LENGTH:].mT, batch[:, LENGTH + 1:])

    for epoch in range(16):
        for some in torch.randperm(len(known)).split(40):
            loss = missed(known[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(f"{epoch}: {loss.item():.4f}, new words {missed(new).item():.4f}")
    return speller, optimizer


def sick():
    return train(diagonal=2)


def well():
    return train(diagonal=1)


if __name__ == "__main__":
    sick()
