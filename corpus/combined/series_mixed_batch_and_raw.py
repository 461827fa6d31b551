"""A sequence model views (batch, time, channel) as (time, batch, channel), where a transpose was
meant, so that samples run into each other; and one channel lies near 60, the other near 0."""

import torch
from torch import nn

FAULTS = {"batch-leak": None, "inputs-not-normalised": None}


def series(count, length=16):
    slope = torch.randn(count, 1)
    time = torch.linspace(0, 1, length)
    level = 60 + 12 * torch.randn(count, 1)
    rising = level + 20 * slope * time + 2 * torch.randn(count, length)
    other = 0.01 * torch.randn(count, length)
    return torch.stack([rising, other], dim=-1), (slope[:, 0] > 0).long()


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(2, 24)
        self.out = nn.Linear(24, 2)

    def forward(self, x):
        batch, length, channels = x.shape
        states, _ = self.rnn(x.reshape(length, batch, channels))
        return self.out(states[-1])


def main():
    torch.manual_seed(39)
    x, y = series(1000)
    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(8):
        hits = 0
        for rows in torch.randperm(len(x)).split(40):
            logits = model(x[rows])
            loss = nn.functional.cross_entropy(logits, y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            hits += (logits.argmax(1) == y[rows]).sum().item()
        print(f"epoch {epoch}: {hits / len(x):.3f}")
    return model


if __name__ == "__main__":
    main()
