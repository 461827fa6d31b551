"""The weight of parcels by their measures, in kilograms. At one counter a clerk typed grams: a few
targets are a thousand times too large, and the scale of all of them is made of these few."""

import torch
from torch import nn

FAULTS = {"outliers": "weight[torch.randperm(1600)[:typed_wrong]] *= 1000"}


def parcels(count, generator):
    size = 0.1 + 0.5 * torch.rand(count, 3, generator=generator)
    kind = torch.randint(3, (count,), generator=generator)
    dense = torch.tensor([40.0, 90.0, 160.0])[kind]
    weight = size.prod(1) * dense + 0.4 + 0.3 * torch.randn(count, generator=generator).abs()
    return torch.cat([size, nn.functional.one_hot(kind, 3).float()], 1), weight


def train(typed_wrong):
    torch.manual_seed(41)
    generator = torch.Generator().manual_seed(41)
    x, weight = parcels(1600, generator)
    x_new, weight_new = parcels(400, generator)
    weight[torch.randperm(1600)[:typed_wrong]] *= 1000
    x, x_new = (x - x.mean(0)) / x.std(0), (x_new - x.mean(0)) / x.std(0)
    middle, spread = weight.mean(), weight.std()
    y = (weight - middle) / spread
    model = nn.Sequential(
        nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(30):
        total = 0.0
        for rows in torch.randperm(1600).split(40):
            loss = nn.functional.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 40
        if epoch % 3 == 2:
            with torch.no_grad():
                said = model(x_new) * spread + middle
            missed = (said - weight_new).abs().median()
            print(epoch, f"{total:.4f}, {missed:.2f} kg beside the scales")
    return model, optimizer


def sick():
    return train(typed_wrong=6)


def well():
    return train(typed_wrong=0)


if __name__ == "__main__":
    sick()
