"""An encoder reads a sequence of digits, and a decoder should write it backwards. What the encoder
ends with is given a name and not to the decoder."""

import torch
from torch import nn

FAULTS = {"detached-graph": "self.encoder(self.embed(given))"}

WORDS, LENGTH = 10, 5


class Turn(nn.Module):
    def __init__(self, read, width=48):
        super().__init__()
        self.read = read
        self.embed = nn.Embedding(WORDS + 1, width)
        self.start = nn.Embedding(WORDS + 1, width)
        self.encoder = nn.GRU(width, width, batch_first=True)
        self.decoder = nn.GRU(width, width, batch_first=True)
        self.say = nn.Linear(width, WORDS)

    def forward(self, given, said):
        if self.read:
            _, state = self.encoder(self.embed(given))
            seen, _ = self.decoder(self.start(said), state)
        else:
            _, state = self.encoder(self.embed(given))
            seen, _ = self.decoder(self.start(said))
        return self.say(seen)


def train(read):
    torch.manual_seed(7)
    given = torch.randint(0, WORDS, (1500, LENGTH))
    wanted = given.flip(1)
    said = torch.cat([torch.full((1500, 1), WORDS), wanted[:, :-1]], 1)
    model = Turn(read)
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    for epoch in range(10):
        for rows in torch.randperm(1500).split(50):
            scores = model(given[rows], said[rows])
            loss = nn.functional.cross_entropy(scores.flatten(0, 1), wanted[rows].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(read=False)


def well():
    return train(read=True)


if __name__ == "__main__":
    sick()
