"""A recurrent tagger whose sequences come with time first and samples second, as torch's default
has it; its output has as many rows as its input, which are steps in time."""

import torch
import torch.nn.functional as F
from torch import nn


class Tagger(nn.Module):
    def __init__(self, kinds=5):
        super().__init__()
        self.enter = nn.Embedding(kinds, 16)
        self.rnn = nn.GRU(16, 32)
        self.attend = nn.MultiheadAttention(32, 4)
        self.head = nn.Linear(32, kinds)

    def forward(self, tokens):
        states, _ = self.rnn(self.enter(tokens))
        mixed, _ = self.attend(states, states, states)
        return self.head(states + mixed)


def main():
    torch.manual_seed(41)
    tokens = torch.randint(5, (18, 700))  # 18 steps in time of 700 sequences
    tags = (tokens + tokens.roll(1, 0)) % 5
    tags[0] = tokens[0]
    model = Tagger()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(14):
        for rows in torch.randperm(560).split(28):
            scores = model(tokens[:, rows])
            loss = F.cross_entropy(scores.flatten(0, 1), tags[:, rows].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            found = model(tokens[:, 560:]).argmax(-1)
        print(epoch, f"{loss:.4f} {(found == tags[:, 560:]).float().mean():.3f}")
    return model


if __name__ == "__main__":
    main()
