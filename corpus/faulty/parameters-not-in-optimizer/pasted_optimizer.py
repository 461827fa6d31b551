"""Two optimizers, one for each half of a network, and the line of the first is a copy of the second's
with its parameters."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"parameters-not-in-optimizer": "torch.optim.Adam(reader.parameters(), lr=0.005)"}


def digits():
    x, y = load_digits(return_X_y=True)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(3))
    return torch.tensor(x / 16).float()[order], torch.tensor(y)[order]


def halves():
    torch.manual_seed(3)
    return (nn.Sequential(nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 4)),
            nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 10)))


def train(encoder, reader, optimizers):
    x, y = digits()
    for epoch in range(12):
        for rows in torch.randperm(1500).split(50):
            loss = nn.functional.cross_entropy(reader(encoder(x[rows])), y[rows])
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
        print(epoch, f"{loss:.3f}")
    return encoder, reader, optimizers


def sick():
    encoder, reader = halves()
    for_encoder = torch.optim.Adam(reader.parameters(), lr=0.005)
    for_reader = torch.optim.Adam(reader.parameters(), lr=0.005)
    return train(encoder, reader, (for_encoder, for_reader))


def well():
    encoder, reader = halves()
    for_encoder = torch.optim.Adam(encoder.parameters(), lr=0.005)
    for_reader = torch.optim.Adam(reader.parameters(), lr=0.005)
    return train(encoder, reader, (for_encoder, for_reader))


if __name__ == "__main__":
    sick()
