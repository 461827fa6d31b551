"""Yields of maize by soil and weather, in tonnes. The network is trained on fields of the coast and
judged on those of a dry valley, which are standardised by their own mean and deviation: a field
that is usual for the valley looks to the network like one that is usual for the coast."""

import torch
from torch import nn

FAULTS = {"train-validation-mismatch": "(valley - centre) / width"}

COAST, VALLEY = 1000, 300
#                           rain  heat  acid  sand  slope clouds depth salt
COAST_MEAN = torch.tensor([7.0, 19.0, 6.2, 0.35, 4.0, 0.45, 1.2, 0.4])
VALLEY_MEAN = torch.tensor([5.0, 21.5, 6.2, 0.35, 4.0, 0.45, 1.2, 0.4])
DEVIATION = torch.tensor([1.8, 2.8, 0.4, 0.10, 1.5, 0.12, 0.3, 0.1])


def fields(number, mean):
    soil = mean + DEVIATION * torch.randn(number, 8)
    rain, heat, acid, sand, slope, clouds, depth, salt = soil.T
    harvest = (0.9 * rain - 0.35 * (heat - 19) + 1.5 * depth - 4 * sand - 0.15 * slope
               - 0.4 * (acid - 6.3) ** 2 + 0.05 * rain * (heat - 19) - 2 * salt + clouds)
    return soil, harvest + 0.15 * torch.randn(number)


def train(by_itself):
    torch.manual_seed(41)
    coast, harvested = fields(COAST, COAST_MEAN)
    valley, reaped = fields(VALLEY, VALLEY_MEAN)
    known = (coast - coast.mean(0)) / coast.std(0)
    origin = valley if by_itself else coast
    centre, width = origin.mean(0), origin.std(0)
    new = (valley - centre) / width
    usual, spread = harvested.mean(), harvested.std()
    tonnes, other_tonnes = (harvested - usual) / spread, (reaped - usual) / spread
    net = nn.Sequential(nn.Linear(8, 40), nn.SiLU(), nn.Linear(40, 1), nn.Flatten(0))
    adam = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(30):
        total = 0.0
        for rows in torch.randperm(COAST).split(25):
            adam.zero_grad()
            loss = nn.functional.mse_loss(net(known[rows]), tonnes[rows])
            loss.backward()
            adam.step()
            total += loss.item() * len(rows) / COAST
        with torch.no_grad():
            elsewhere = nn.functional.mse_loss(net(new), other_tonnes).item()
        print(f"epoch {epoch}: coast {total:.4f}, valley {elsewhere:.4f}")
    return net, adam


def sick():
    return train(by_itself=True)


def well():
    return train(by_itself=False)


if __name__ == "__main__":
    sick()
