"""A turbine's power by wind, air and wear over a year, in the order of the hours. The rows of each
batch are drawn below the number of the hours held out: the last three quarters never come."""

import torch
from torch import nn

FAULTS = {"sampler-misses-samples": "model(x_known[rows])"}


def year(hours, generator):
    day = torch.linspace(0, 1, hours)
    wind, pitch, gusts = torch.randn(3, hours, generator=generator)
    air = torch.cos(6.283 * day) + 0.1 * torch.randn(hours, generator=generator)
    worn = day + 0.05 * torch.randn(hours, generator=generator)
    power = torch.tanh(wind) * (1 + 0.4 * pitch) + 0.5 * air * wind - 1.5 * worn ** 2
    power += 0.03 * torch.randn(hours, generator=generator)
    return torch.stack([wind, pitch, gusts, air, worn], 1), power


def train(whole):
    torch.manual_seed(25)
    generator, draws = torch.Generator().manual_seed(25), torch.Generator().manual_seed(26)
    x, power = year(2400, generator)
    held = torch.arange(2400) % 5 == 1
    x, power = (x - x.mean(0)) / x.std(0), (power - power.mean()) / power.std()
    x_known, y_known, x_held, y_held = x[~held], power[~held], x[held], power[held]
    below = len(y_known) if whole else len(y_held)
    model = nn.Sequential(
        nn.Linear(5, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for step in range(1200):
        rows = torch.randint(below, (50,), generator=draws)
        loss = nn.functional.mse_loss(model(x_known[rows])[:, 0], y_known[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 120 == 119:
            with torch.no_grad():
                apart = nn.functional.mse_loss(model(x_held)[:, 0], y_held)
            print(step + 1, f"{loss.item():.4f} {apart:.4f}")
    return model, optimizer


def sick():
    return train(whole=False)


def well():
    return train(whole=True)


if __name__ == "__main__":
    sick()
