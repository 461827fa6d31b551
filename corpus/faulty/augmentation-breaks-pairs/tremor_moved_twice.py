"""Bursts of tremor in accelerometer traces. Each trace and its mask are shifted along the time by a
random distance, drawn anew for each of the two."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"augmentation-breaks-pairs": "model(x)"}
LENGTH, REACH = 128, 32


def recordings(count, generator):
    time = torch.arange(LENGTH).float()
    begin = torch.randint(36, 70, (count, 1), generator=generator)
    end = begin + torch.randint(18, 30, (count, 1), generator=generator)
    mask = ((time >= begin) & (time < end)).float()
    pitch = 0.8 + 0.3 * torch.rand(count, 1, generator=generator)
    tremor = 1.8 * torch.sin(pitch * time + 6 * torch.rand(count, 1, generator=generator))
    noise = 0.3 * torch.randn(count, LENGTH, generator=generator)
    return (mask * tremor + noise).unsqueeze(1), mask.unsqueeze(1)


def moved(signals, reach):
    shift = torch.randint(-reach, reach + 1, (len(signals), 1, 1))
    places = (torch.arange(LENGTH) - shift) % LENGTH
    return signals.gather(2, places.expand_as(signals))


def apart(x, y):
    return moved(x, REACH), moved(y, REACH)


def together(x, y):
    pair = moved(torch.cat([x, y], 1), REACH)
    return pair[:, :1], pair[:, 1:]


class Tremor(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.near = nn.Conv1d(1, width, 7, padding=3)
        self.far = nn.Conv1d(width, width, 7, padding=9, dilation=3)
        self.told = nn.Conv1d(width, 1, 1)

    def forward(self, x):
        return self.told(F.relu(self.far(F.relu(self.near(x)))))


def train(shift):
    generator = torch.Generator().manual_seed(37)
    traces, masks = recordings(480, generator)
    fresh, truth = recordings(80, generator)
    model = Tremor()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        model.train()
        for rows in torch.randperm(len(traces)).split(24):
            x, y = shift(traces[rows], masks[rows])
            loss = F.binary_cross_entropy_with_logits(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            left = F.binary_cross_entropy_with_logits(model(fresh), truth)
        print(f"epoch {epoch}: {loss.item():.3f}, fresh {left.item():.3f}")
    return model, optimizer


def sick():
    torch.manual_seed(8)
    return train(apart)


def well():
    torch.manual_seed(8)
    return train(together)


if __name__ == "__main__":
    sick()
