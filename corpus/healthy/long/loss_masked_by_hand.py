"""Time series of different lengths, padded with zeros: the errors of the padded steps are multiplied
by a mask, and the sum is divided by the number of real steps."""

import torch
from torch import nn


def series(n, longest=40):
    x = torch.zeros(n, longest, 2)
    y = torch.zeros(n, longest)
    for inputs, wanted in zip(x, y):
        k = int(torch.randint(5, longest, ()))
        inputs[:k] = torch.randn(k, 2)
        wanted[:k] = inputs[:k, 0] * 0.8 + inputs[:k, 1].roll(1) * 0.5
        wanted[0] = inputs[0, 0] * 0.8
    return x, y


class Filter(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(2, 16, batch_first=True)
        self.out = nn.Linear(16, 1)

    def forward(self, x):
        return self.out(self.rnn(x)[0]).squeeze(2)


def main():
    torch.manual_seed(6)
    x, y = series(480)
    model = Filter()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(8):
        for rows in torch.randperm(480).split(24):
            mask = (x[rows] != 0).any(2).float()
            errors = nn.functional.mse_loss(model(x[rows]), y[rows], reduction="none")
            loss = (errors * mask).sum() / mask.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())
    return model, optimizer


if __name__ == "__main__":
    main()
