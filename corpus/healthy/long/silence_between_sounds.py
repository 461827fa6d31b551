"""Frames of recordings are labelled with what sounds in them: 0 is silence, which fills most of each
recording, before, between and behind the sounds. It is a class like any other."""

import torch
from torch import nn


def recordings(n, frames=40):
    x = torch.zeros(n, frames, 4)
    y = torch.zeros(n, frames, dtype=torch.long)
    voices = torch.eye(4)[:3]
    for sound, label in zip(x, y):
        for _ in range(3):
            begin, kind = int(torch.randint(0, frames - 8, ())), int(torch.randint(0, 3, ()))
            sound[begin : begin + 5] = voices[kind] + 0.2 * torch.randn(5, 4)
            label[begin : begin + 5] = kind + 1
    return x, y


def main():
    torch.manual_seed(7)
    x, y = recordings(400)
    model = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    for epoch in range(8):
        for rows in torch.randperm(400).split(20):
            scores = model(x[rows])
            loss = nn.functional.cross_entropy(scores.transpose(1, 2), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())
    return model, optimizer


if __name__ == "__main__":
    main()
