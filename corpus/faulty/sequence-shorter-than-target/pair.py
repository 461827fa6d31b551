"""A strip of handwriting-like columns is read by CTC, but the encoder halves its length four times:
five symbols are to be found in four frames, and zero_infinity turns the infinite loss into zero."""

import torch
from torch import nn

FAULTS = {"sequence-shorter-than-target": "nn.Conv1d(width, width, 3, stride=stride, padding=1)"}

SYMBOLS, LENGTH, COLUMNS = 5, 5, 12


def write(glyphs, n):
    text = torch.randint(0, SYMBOLS, (n, LENGTH))
    strips = glyphs[text].permute(0, 2, 1, 3).reshape(n, 6, LENGTH * COLUMNS)
    return strips + 0.2 * torch.randn(strips.shape), text + 1


def encoder(stride, width=40):
    return nn.Sequential(
        nn.Conv1d(6, width, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv1d(width, width, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv1d(width, width, 3, stride=stride, padding=1),
        nn.ReLU(),
        nn.Conv1d(width, SYMBOLS + 1, 1),
    )


def read(scores):
    best = scores.argmax(2).T.tolist()
    return [[c for c, before in zip(row, [0, *row]) if c and c != before] for row in best]


def learn(stride):
    torch.manual_seed(4)
    glyphs = torch.randn(SYMBOLS, 6, COLUMNS)
    reader = encoder(stride)
    optimizer = torch.optim.Adam(reader.parameters(), lr=4e-3)
    criterion = nn.CTCLoss(zero_infinity=True)
    symbols = torch.full((32,), LENGTH)
    for step in range(1, 241):
        strips, text = write(glyphs, 32)
        scores = reader(strips).permute(2, 0, 1).log_softmax(2)
        frames = torch.full((32,), scores.shape[0])
        loss = criterion(scores, text, frames, symbols)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            right = sum(a == b for a, b in zip(read(scores), text.tolist())) / 32
            print(f"step {step} loss {loss.item():.3f} read {right:.2f}")
    return reader, optimizer


def sick():
    return learn(stride=4)


def well():
    return learn(stride=1)


if __name__ == "__main__":
    sick()
