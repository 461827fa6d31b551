"""The heat of an oven from what its burners take. The burners are logged for as long as they burn, a
thermometer for a part of that: its courses are padded with zeros, and the loss takes them for readings."""

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

FAULTS = {"padding-in-loss": "nn.functional.mse_loss(told, wanted)"}

LONG = 48


def bake(generator):
    """What two burners take, and the heat as far as it was read."""
    power = torch.randn(LONG, 2, generator=generator)
    state, heat = torch.zeros(()), []
    for left, right in power:
        state = 0.6 * state + 0.9 * left - 0.7 * right
        heat.append(state + 2.5)
    read = int(torch.randint(8, LONG + 1, (), generator=generator))
    return power, torch.stack(heat[:read])


def together(bakes):
    powers, heats = zip(*bakes)
    return torch.stack(powers), pad_sequence(heats, batch_first=True)


def masked(told, heat):
    read = heat != 0
    return told[:, :heat.shape[1]][read], heat[read]


def all_of(told, heat):
    return told[:, :heat.shape[1]], heat


class Oven(nn.Module):
    def __init__(self):
        super().__init__()
        self.recent = nn.Conv1d(2, 16, 9)
        self.scale = nn.Conv1d(16, 1, 1)

    def forward(self, power):
        earlier = nn.functional.pad(power.transpose(1, 2), (8, 0))
        return self.scale(nn.functional.elu(self.recent(earlier)))[:, 0]


def calibrate(choose):
    torch.manual_seed(9)
    generator = torch.Generator().manual_seed(9)
    data = [bake(generator) for _ in range(240)]
    loader = DataLoader(data, batch_size=20, shuffle=True, collate_fn=together)
    oven = Oven()
    optimizer = torch.optim.Adam(oven.parameters(), lr=4e-3)
    for epoch in range(16):
        for power, heat in loader:
            told, wanted = choose(oven(power), heat)
            loss = nn.functional.mse_loss(told, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.4f}")
    return oven, optimizer


def sick():
    return calibrate(all_of)


def well():
    return calibrate(masked)


if __name__ == "__main__":
    sick()
