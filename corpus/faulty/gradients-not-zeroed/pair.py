"""A GRU forecasts a noisy wave; nobody clears the gradients, so every step follows the sum
of all gradients since the start and swings around the solution for ever."""

import torch
from torch import nn

FAULTS = {"gradients-not-zeroed": "loss.backward()"}

STEPS = 400
BATCH = 64
LENGTH = 20


def waves(count):
    frequency = torch.empty(count, 1).uniform_(0.2, 0.6)
    phase = torch.empty(count, 1).uniform_(0, 6.28)
    time = torch.arange(LENGTH + 1)
    series = 1.4 * torch.sin(frequency * time + phase)
    series = series + 0.15 * torch.randn_like(series)
    return series[:, :-1].unsqueeze(-1), series[:, -1]


class Forecaster(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, sequence):
        states, _ = self.rnn(sequence)
        return self.out(states[:, -1]).squeeze(-1)


def report(step, loss, model, sequences, nexts):
    with torch.no_grad():
        error = nn.functional.mse_loss(model(sequences), nexts)
    print(f"step {step}: train {loss.item():.4f}, held out {error.item():.4f}")


def sick():
    torch.manual_seed(0)
    sequences, nexts = waves(1024)
    held_out = waves(256)
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss_function = nn.MSELoss()
    for step in range(1, STEPS + 1):
        picked = torch.randint(len(sequences), (BATCH,))
        loss = loss_function(model(sequences[picked]), nexts[picked])
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            report(step, loss, model, *held_out)
    return model, optimizer


def well():
    torch.manual_seed(0)
    sequences, nexts = waves(1024)
    held_out = waves(256)
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss_function = nn.MSELoss()
    for step in range(1, STEPS + 1):
        picked = torch.randint(len(sequences), (BATCH,))
        loss = loss_function(model(sequences[picked]), nexts[picked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            report(step, loss, model, *held_out)
    return model, optimizer


if __name__ == "__main__":
    sick()
