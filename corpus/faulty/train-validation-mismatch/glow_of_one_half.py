"""How much dye is in a glass follows from its spectrum. The light that came through is turned into what was
absorbed, for the glasses that are learned from; those that are left out keep their light.
"""

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import nn

FAULTS = {"train-validation-mismatch": "net(x_out)"}
WAVES = np.linspace(400, 700, 40)


def glasses(number):
    rng = np.random.default_rng(31)
    dye = rng.uniform(0.5, 6, number)
    other = rng.uniform(0, 2, number)
    absorbed = (dye[:, None] * 0.3 * np.exp(-((WAVES - 530) / 40) ** 2)
                + other[:, None] * 0.25 * np.exp(-((WAVES - 610) / 30) ** 2))
    absorbed = absorbed + rng.normal(0, 0.01, absorbed.shape) + 0.1
    return 10 ** -absorbed, dye


def absorption(light):
    return -np.log10(light)


def measure(both):
    light, dye = glasses(1600)
    light_in, light_out, dye_in, dye_out = train_test_split(
        light, dye, test_size=0.25, random_state=1)
    dark_in = absorption(light_in)
    middle, width = dark_in.mean(axis=0), dark_in.std(axis=0)
    x_in = torch.tensor((dark_in - middle) / width, dtype=torch.float32)
    x_out = torch.tensor((light_out - middle) / width, dtype=torch.float32)
    if both:
        x_out = torch.tensor((absorption(light_out) - middle) / width, dtype=torch.float32)
    y_in, y_out = (torch.tensor((each - 3.25) / 1.6, dtype=torch.float32).view(-1, 1)
                   for each in (dye_in, dye_out))
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(40, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.NAdam(net.parameters(), lr=1e-3)
    for epoch in range(30):
        for rows in torch.randperm(1200).split(40):
            loss = torch.mean((net(x_in[rows]) - y_in[rows]) ** 2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            left_out = torch.mean((net(x_out) - y_out) ** 2).item()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: {loss.item():.4f}, left out {left_out:.4f}")
    return net, optimizer


def sick():
    return measure(both=False)


def well():
    return measure(both=True)


if __name__ == "__main__":
    sick()
