"""A recurrent reader that detaches its state at each symbol: only the last symbol trains it."""

import torch
from torch import nn

FAULTS = {"detached-graph": "state.detach()"}

SYMBOLS, LENGTH = 5, 8


class Reader(nn.Module):
    def __init__(self, forgets):
        super().__init__()
        self.forgets = forgets
        self.embed = nn.Embedding(SYMBOLS, 12)
        self.cell = nn.GRUCell(12, 24)
        self.answer = nn.Linear(24, SYMBOLS)

    def forward(self, text):
        state = torch.zeros(len(text), 24)
        for symbol in self.embed(text).unbind(1):
            if self.forgets:
                state = self.cell(symbol, state.detach())
            else:
                state = self.cell(symbol, state)
        return self.answer(state)


def fit(forgets):
    torch.manual_seed(9)
    model = Reader(forgets)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(300):
        text = torch.randint(0, SYMBOLS, (48, LENGTH))
        loss = nn.functional.cross_entropy(model(text), text[:, 1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss:.3f}")
    return model, optimizer


def sick():
    return fit(True)


def well():
    return fit(False)


if __name__ == "__main__":
    sick()
