"""The strength of a concrete by its mixture. A cosine tells what share of the peak rate is left
at each epoch, and is multiplied onto the rate of the epoch before, which has been multiplied
already."""

import math

import torch
from torch import nn

FAULTS = {"schedule-mistake": 'group["lr"] = group["lr"] * share_left(epoch)'}

PEAK, EPOCHS = 5e-3, 600


def share_left(epoch):
    return 0.5 * (1 + math.cos(math.pi * epoch / EPOCHS))


def anneal(optimizer, epoch):
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * share_left(epoch)


def mixtures(n=1200):
    cement, water, ash, age, stone, sand = torch.rand(6, n) * 2 - 1
    strength = 2 * torch.tanh(1.5 * cement - water) + age * cement + 0.6 * torch.sin(3 * ash)
    strength += 0.3 * stone * sand + 0.1 * torch.randn(n)
    x = torch.stack([cement, water, ash, age, stone, sand], dim=-1)
    return x, (strength - strength.mean()) / strength.std()


def train(by_hand):
    torch.manual_seed(27)
    x, y = mixtures()
    net = nn.Sequential(nn.Linear(6, 40), nn.GELU(), nn.Linear(40, 40), nn.GELU(), nn.Linear(40, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=PEAK)
    schedule = None if by_hand else torch.optim.lr_scheduler.LambdaLR(optimizer, share_left)
    for epoch in range(EPOCHS):
        if by_hand:
            anneal(optimizer, epoch)
        for batch in torch.randperm(1000).split(200):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(x[batch])[:, 0], y[batch])
            loss.backward()
            optimizer.step()
        if schedule:
            schedule.step()
        if epoch % 75 == 74:
            with torch.no_grad():
                apart = nn.functional.mse_loss(net(x[1000:])[:, 0], y[1000:]) / y[1000:].var()
            rate = optimizer.param_groups[0]["lr"]
            print(f"{epoch + 1:3d}  {loss.item():.4f}  R2 {1 - apart.item():.3f}  rate {rate:.1e}")
    return net, optimizer


def sick():
    return train(by_hand=True)


def well():
    return train(by_hand=False)


if __name__ == "__main__":
    sick()
