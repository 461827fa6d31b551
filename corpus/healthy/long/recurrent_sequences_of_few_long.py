"""A recurrent network over padded sequences, whose loss leaves the padding out. Few sequences are so
long that their last steps count, so the gradient is tiny there and much larger at the first ones."""

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence


class Tracker(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 32, batch_first=True)
        self.out = nn.Linear(32, 1)

    def forward(self, x):
        return self.out(self.rnn(x)[0]).squeeze(-1)


def sequences(count):
    lengths = torch.randint(4, 25, (count,))
    lengths[: count // 40] = 40
    inputs = [torch.randn(int(length), 4) for length in lengths]
    wanted = [0.3 * x[:, 0].cumsum(0) + x[:, 1] for x in inputs]
    real = torch.arange(40)[None] < lengths[:, None]
    return pad_sequence(inputs, True), pad_sequence(wanted, True), real


def main():
    torch.manual_seed(0)
    x, y, real = sequences(800)
    tracker = Tracker()
    optimizer = torch.optim.Adam(tracker.parameters(), lr=5e-3)
    for epoch in range(12):
        for rows in torch.randperm(len(x)).split(32):
            error = (tracker(x[rows]) - y[rows]) ** 2
            loss = error[real[rows]].mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, round(loss.item(), 4))
    return tracker, optimizer


if __name__ == "__main__":
    main()
