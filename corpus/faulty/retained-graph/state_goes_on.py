"""A recurrent network by hand reads a long wave in pieces. Its state goes from piece to piece and is
never detached, and the graphs are kept: each backward pass goes through all pieces before."""

import torch
from torch import nn

FAULTS = {"retained-graph": "loss.backward(retain_graph=True)"}

STEPS, PIECE, LANES, HIDDEN, RATE = 90, 6, 8, 24, 0.05


def load():
    time = torch.arange(STEPS * PIECE + 1) * 0.3
    phases = torch.rand(LANES, 1) * 6.28
    return torch.sin(time + phases) + 0.3 * torch.sin(2.3 * time + 2 * phases)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.read = nn.Linear(1 + HIDDEN, HIDDEN)
        self.guess = nn.Linear(HIDDEN, 1)

    def forward(self, piece, state):
        guesses = []
        for value in piece.unbind(1):
            state = torch.tanh(self.read(torch.cat([value[:, None], state], 1)))
            guesses.append(self.guess(state))
        return torch.cat(guesses, 1), state


def update(model):
    for weight in model.parameters():
        weight.data -= RATE * weight.grad
        weight.grad = None


def sick():
    torch.manual_seed(51)
    waves = load()
    model = Recurrent()
    state = torch.zeros(LANES, HIDDEN)
    for step in range(STEPS):
        begin = step * PIECE
        guess, state = model(waves[:, begin:begin + PIECE], state)
        loss = ((guess - waves[:, begin + 1:begin + PIECE + 1]) ** 2).mean()
        loss.backward(retain_graph=True)
        update(model)
        if step % 30 == 29:
            print(f"piece {step + 1}: {loss.item():.4f}")
    return model


def well():
    torch.manual_seed(51)
    waves = load()
    model = Recurrent()
    state = torch.zeros(LANES, HIDDEN)
    for step in range(STEPS):
        begin = step * PIECE
        guess, state = model(waves[:, begin:begin + PIECE], state.detach())
        loss = ((guess - waves[:, begin + 1:begin + PIECE + 1]) ** 2).mean()
        loss.backward()
        update(model)
        if step % 30 == 29:
            print(f"piece {step + 1}: {loss.item():.4f}")
    return model


if __name__ == "__main__":
    sick()
