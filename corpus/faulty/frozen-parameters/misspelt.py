"""An encoder learns to compress one kind of curves and is then to learn about another one, a few epochs
after its head. One letter is missing in the line that unfreezes it."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"frozen-parameters": "weights.require_grad = True"}


def waves(count):
    time = torch.linspace(0, 6.3, 24)
    return torch.sin(time * (1 + 2 * torch.rand(count, 1)) + 6.3 * torch.rand(count, 1))


def spikes(count):
    high = torch.randint(24, (count,))
    low = torch.randint(24, (count,))
    curves = 0.3 * torch.randn(count, 24)
    curves[torch.arange(count), high] += 2.0
    curves[torch.arange(count), low] -= 2.0
    return curves, ((high + low) % 2).long()


def pretrain(encoder):
    decoder = nn.Linear(3, 24)
    both = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(both, lr=2e-3)
    for _ in range(600):
        curves = waves(64)
        loss = F.mse_loss(decoder(encoder(curves)), curves)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def tune(encoder, thaw):
    curves, sides = spikes(1500)
    head = nn.Sequential(nn.ReLU(), nn.Linear(3, 2))
    for weights in encoder.parameters():
        weights.requires_grad = False
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=3e-3)
    for epoch in range(30):
        if epoch == 2:
            thaw(encoder)
        for rows in torch.randperm(len(curves)).split(50):
            loss = F.cross_entropy(head(encoder(curves[rows])), sides[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.3f}")
    return encoder, head


def misspelt(encoder):
    for weights in encoder.parameters():
        weights.require_grad = True


def spelt(encoder):
    for weights in encoder.parameters():
        weights.requires_grad = True


def run(thaw):
    torch.manual_seed(6)
    encoder = nn.Sequential(nn.Linear(24, 96), nn.ReLU(), nn.Linear(96, 3))
    pretrain(encoder)
    return tune(encoder, thaw)


def sick():
    return run(misspelt)


def well():
    return run(spelt)


if __name__ == "__main__":
    sick()
