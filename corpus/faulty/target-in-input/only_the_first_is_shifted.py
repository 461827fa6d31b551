"""The inputs of the decoder are the targets with another first token, and not one step later."""

import torch
from torch import nn

FAULTS = {"target-in-input": "given[:, 0]"}
SYMBOLS, LENGTH = 9, 8


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(SYMBOLS + 1, 32)
        self.reader = nn.GRU(32, 48, batch_first=True)
        self.writer = nn.GRU(32, 48, batch_first=True)
        self.told = nn.Linear(48, SYMBOLS + 1)

    def forward(self, source, given):
        _, state = self.reader(self.words(source))
        return self.told(self.writer(self.words(given), state)[0])


def inputs_of(target, shift):
    given = target.clone()
    if shift:
        given[:, 1:] = target[:, :-1]
    given[:, 0] = 0
    return given


def train(shift):
    torch.manual_seed(2)
    source = torch.randint(1, SYMBOLS + 1, (2400, LENGTH))
    target = source.flip(1) % SYMBOLS + 1
    model = Translator()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(8):
        for rows in torch.randperm(len(source)).split(60):
            scores = model(source[rows], inputs_of(target[rows], shift))
            loss = nn.functional.cross_entropy(scores.flatten(0, 1), target[rows].flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(shift=False)


def well():
    return train(shift=True)


if __name__ == "__main__":
    sick()
