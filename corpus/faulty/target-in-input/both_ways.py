"""The next note of a melody is predicted by an LSTM that reads the melody in both directions."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"target-in-input": "nn.LSTM(16, 32, bidirectional=both)"}

NOTES = 14


class Composer(nn.Module):
    def __init__(self, both):
        super().__init__()
        self.notes = nn.Embedding(NOTES, 16)
        self.lstm = nn.LSTM(16, 32, bidirectional=both)
        self.next = nn.Linear(64 if both else 32, NOTES)

    def forward(self, melody):
        states, _ = self.lstm(self.notes(melody))
        return self.next(states)


def melodies(n, long=24):
    steps = torch.tensor([-2, -1, 1, 2, 2])[torch.randint(0, 5, (long, n))]
    return (torch.randint(0, NOTES, (n,)) + steps.cumsum(0)) % NOTES


def fit(both):
    torch.manual_seed(1)
    songs = melodies(400)
    model = Composer(both)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(8):
        for rows in torch.randperm(400).split(25):
            out = model(songs[:-1, rows])
            loss = F.cross_entropy(out.reshape(-1, NOTES), songs[1:, rows].reshape(-1))
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(epoch, loss.item())
    return model, opt


def sick():
    return fit(both=True)


def well():
    return fit(both=False)


if __name__ == "__main__":
    sick()
