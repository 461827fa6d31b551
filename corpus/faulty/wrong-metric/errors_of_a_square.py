"""The sugar of beets by weather and soil. The forecasts are a column and the measurements a row, so
the error that is printed is that of each forecast against each measurement."""

import torch
from torch import nn

FAULTS = {"wrong-metric": "agreement(held_sugar, forecast)"}


def fields(count):
    rain, warmth, sand, days = torch.randn(4, count)
    sugar = torch.tanh(warmth + 0.5 * days) - 0.4 * rain * sand + 0.2 * torch.randn(count)
    return torch.stack([rain, warmth, sand, days], 1), (sugar - sugar.mean()) / sugar.std()


def agreement(measured, told):
    apart = measured - told
    explained = 1 - (apart ** 2).mean() / ((measured - measured.mean()) ** 2).mean()
    return explained.item(), apart.abs().mean().item()


def train(square):
    torch.manual_seed(31)
    known, sugar = fields(900)
    held, held_sugar = fields(300)
    net = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(40):
        net.train()
        for rows in torch.randperm(900).split(30):
            loss = ((net(known[rows]).squeeze(1) - sugar[rows]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 4 == 3:
            net.eval()
            with torch.no_grad():
                forecast = net(held) if square else net(held).squeeze(1)
            explained, apart = agreement(held_sugar, forecast)
            print(epoch + 1, f"{loss.item():.3f} {explained:.3f} {apart:.3f}")
    return net, optimizer


def sick():
    return train(square=True)


def well():
    return train(square=False)
