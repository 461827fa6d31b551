"""A swing is to be forecast from its last twenty values. The value that is asked for is counted from the
first one, and so is the last of those that are given."""

import torch
from torch import nn
from torch.nn import functional

FAULTS = {"target-in-input": "torch.stack([swing[i + WINDOW - 1 + ahead] for i in range(1400)])"}

WINDOW = 20


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.memory = nn.LSTM(1, 24, batch_first=True)
        self.value = nn.Linear(24, 1)

    def forward(self, windows):
        return self.value(self.memory(windows)[0][:, -1]).squeeze(-1)


def train(ahead):
    torch.manual_seed(5)
    times = torch.arange(1440) / 6.0
    swing = torch.sin(times) + 0.5 * torch.sin(2.2 * times) + 0.1 * torch.randn(1440)
    windows = torch.stack([swing[i:i + WINDOW] for i in range(1400)]).unsqueeze(-1)
    values = torch.stack([swing[i + WINDOW - 1 + ahead] for i in range(1400)])
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(8):
        for rows in torch.randperm(1100).split(50):
            loss = functional.mse_loss(model(windows[rows]), values[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            held_out = functional.mse_loss(model(windows[1150:]), values[1150:])
        print(epoch, loss.item(), held_out.item())
    return model, optimizer


def sick():
    return train(ahead=0)


def well():
    return train(ahead=1)


if __name__ == "__main__":
    sick()
