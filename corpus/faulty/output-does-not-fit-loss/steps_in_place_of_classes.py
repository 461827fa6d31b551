"""Which of four symbols comes next, for five steps at once: a module of the program's own takes the
logarithm of a softmax over the steps, and then puts steps and samples into one axis."""

import torch
from torch import nn

FAULTS = {"output-does-not-fit-loss": "likely = self.likelihood(scores)"}

STEPS, SYMBOLS = 5, 4


class Ahead(nn.Module):
    def __init__(self):
        super().__init__()
        self.read = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, STEPS * SYMBOLS))

    def forward(self, x):
        return self.read(x).unflatten(1, (STEPS, SYMBOLS))


class Error(nn.Module):
    def __init__(self, axis):
        super().__init__()
        self.likelihood = nn.LogSoftmax(axis)

    def forward(self, scores, symbols):
        likely = self.likelihood(scores)
        return nn.functional.nll_loss(likely.reshape(-1, SYMBOLS), symbols.reshape(-1))


def train(axis):
    torch.manual_seed(12)
    x = torch.randn(1200, 6)
    pull = torch.stack([x[:, :SYMBOLS] + 0.4 * step * x[:, 4:5] * torch.arange(-1.5, 2.5)
                        for step in range(STEPS)], 1)
    symbols = pull.argmax(-1)
    model, error = Ahead(), Error(axis)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(15):
        for rows in torch.randperm(1200).split(40):
            loss = error(model(x[rows]), symbols[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(1)


def well():
    return train(2)


if __name__ == "__main__":
    sick()
