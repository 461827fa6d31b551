"""A language model computes its loss itself, and takes for granted that the labels were shifted. They
are the tokens as they are, with the padding left out."""

import torch
from torch import nn
from torch.nn import functional

FAULTS = {"target-in-input": "functional.cross_entropy(flat, labels.view(-1), ignore_index=-100)"}

TOKENS, STEPS, WIDTH, ROUNDS = 24, 14, 32, 400


def sentences(count):
    """Numbers that count on by a step of their own, with a rest at the end of most."""
    start, by = torch.randint(0, 20, (count, 1)), torch.randint(1, 6, (count, 1))
    tokens = 1 + (start + by * torch.arange(STEPS)) % (TOKENS - 1)
    lengths = torch.randint(7, STEPS + 1, (count, 1))
    return tokens.masked_fill(torch.arange(STEPS) >= lengths, 0)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(TOKENS, WIDTH)
        self.places = nn.Embedding(STEPS, WIDTH)
        self.mix = nn.TransformerEncoderLayer(WIDTH, 4, 64, dropout=0.0, batch_first=True)
        self.scores = nn.Linear(WIDTH, TOKENS)

    def forward(self, tokens, labels):
        steps = tokens.shape[1]
        causal = torch.triu(torch.full((steps, steps), float("-inf")), 1)
        given = self.tokens(tokens) + self.places(torch.arange(steps))
        flat = self.scores(self.mix(given, src_mask=causal)).view(-1, TOKENS)
        return functional.cross_entropy(flat, labels.view(-1), ignore_index=-100)


def train(shifted):
    torch.manual_seed(37)
    tokens = sentences(600)
    labels = tokens.masked_fill(tokens == 0, -100)
    model = Reader()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for turn in range(ROUNDS):
        rows = torch.randint(0, len(tokens), (48,))
        if shifted:
            loss = model(tokens[rows, :-1], labels[rows, 1:].contiguous())
        else:
            loss = model(tokens[rows], labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if turn % 100 == 99:
            print(f"turn {turn + 1}: {loss.item():.4f}")
    return model, optimizer


def sick():
    return train(shifted=False)


def well():
    return train(shifted=True)


if __name__ == "__main__":
    sick()
