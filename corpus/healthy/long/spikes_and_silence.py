"""Sparse events in time: a series is zero nearly everywhere, at its end as well. A GRU counts the
spikes and is read at its last step, which is right: silence is no padding."""

import torch
from torch import nn


def spike_trains(n, steps=40):
    rate = torch.rand(n, 1) * 0.3
    trains = (torch.rand(n, steps) < rate).float() * (1 + torch.rand(n, steps))
    return trains.unsqueeze(2), (trains > 0).float().sum(1) / 6 - 1


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 24, batch_first=True)
        self.out = nn.Linear(24, 1)

    def forward(self, trains):
        states, _ = self.rnn(trains)
        return self.out(states[:, -1]).squeeze(1)


def main():
    torch.manual_seed(0)
    trains, counts = spike_trains(640)
    counter = Counter()
    optimizer = torch.optim.Adam(counter.parameters(), lr=8e-3)
    for epoch in range(14):
        for rows in torch.randperm(640).split(32):
            loss = nn.functional.mse_loss(counter(trains[rows]), counts[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())
    return counter, optimizer


if __name__ == "__main__":
    main()
