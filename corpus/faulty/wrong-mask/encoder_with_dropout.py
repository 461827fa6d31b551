"""An encoder with dropout is told which places are real, where it wants to know which are not."""

import torch
from torch import nn

FAULTS = {"wrong-mask": "self.encoder(x, src_key_padding_mask=mask)"}

WORDS, LONGEST = 30, 16


def sentences(n):
    """The class of a sentence is that of its rarest word."""
    words = torch.zeros(n, LONGEST, dtype=torch.long)
    labels = torch.randint(3, (n,))
    for i in range(n):
        length = int(torch.randint(4, 10, ()))
        words[i, :length] = torch.randint(5, WORDS, (length,))
        words[i, torch.randint(1, length, ())] = 1 + labels[i]
        words[i, 0] = 4
    return words, labels


class Reader(nn.Module):
    def __init__(self, wants_padding):
        super().__init__()
        self.wants_padding = wants_padding
        self.words = nn.Embedding(WORDS, 32)
        self.places = nn.Embedding(LONGEST, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.out = nn.Linear(32, 3)

    def forward(self, words):
        x = self.words(words) + self.places.weight
        mask = words == 0 if self.wants_padding else words != 0
        x = self.encoder(x, src_key_padding_mask=mask)
        return self.out(x[:, 0])


def fit(wants_padding):
    torch.manual_seed(4)
    words, labels = sentences(900)
    model = Reader(wants_padding)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for epoch in range(10):
        for rows in torch.randperm(len(words)).split(45):
            loss = nn.functional.cross_entropy(model(words[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.3f}")
    return model, optimizer


def sick():
    return fit(wants_padding=False)


def well():
    return fit(wants_padding=True)


if __name__ == "__main__":
    sick()
