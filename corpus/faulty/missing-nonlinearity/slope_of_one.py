"""The slope of the leaky activations comes from the settings, where 1 was put for "leaky: yes"."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"missing-nonlinearity": 'nn.LeakyReLU(settings["leak"])'}
SETTINGS = {"widths": (64, 48, 48), "leak": 0.1, "lr": 3e-3, "epochs": 25, "batch": 60}


def build(settings):
    layers = []
    for wide, narrow in zip(settings["widths"], settings["widths"][1:], strict=False):
        layers += [nn.Linear(wide, narrow), nn.LeakyReLU(settings["leak"])]
    return nn.Sequential(*layers, nn.Linear(settings["widths"][-1], 1))


def train(**changes):
    """Is a digit one of those with a closed loop?"""
    settings = SETTINGS | changes
    torch.manual_seed(11)
    pixels, digits = load_digits(return_X_y=True)
    x = torch.tensor(pixels / 8 - 1).float()
    looped = torch.isin(torch.tensor(digits), torch.tensor([0, 6, 8, 9])).float()
    order = torch.randperm(len(x))
    x, looped = x[order], looped[order]
    model = build(settings)
    optimizer = torch.optim.Adam(model.parameters(), settings["lr"])
    for epoch in range(settings["epochs"]):
        for rows in torch.randperm(1500).split(settings["batch"]):
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(
                model(x[rows]).squeeze(1), looped[rows])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            right = (model(x[1500:]).squeeze(1) > 0) == looped[1500:].bool()
        print(f"{epoch} {loss.item():.3f} {right.float().mean():.3f}")
    return model


def sick():
    return train(leak=1)


def well():
    return train()


if __name__ == "__main__":
    sick()
