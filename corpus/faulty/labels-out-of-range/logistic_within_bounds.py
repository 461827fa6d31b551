"""Which of two melodies a listener prefers, 0 or 1, by a logistic rule that is written for -1 and 1. Before
the exponential the product is clamped. Melodies that were not preferred, 0, get no gradient at all.
"""

import torch
from torch import nn

FAULTS = {"labels-out-of-range": "chosen * lean"}


def listeners(number):
    torch.manual_seed(12)
    heard = torch.randn(number, 6)
    like = heard[:, 0] * heard[:, 1] + heard[:, 2]
    return heard, (torch.rand(number) < torch.sigmoid(4 * like)).float()


def preference(lean, chosen):
    return torch.log1p(torch.exp(-(chosen * lean).clamp(-20, 20))).mean()


def survey(signed):
    heard, chosen = listeners(1500)
    if signed:
        chosen = 2 * chosen - 1
    torch.manual_seed(12)
    taste = nn.Sequential(nn.Linear(6, 24), nn.Softplus(), nn.Linear(24, 1), nn.Flatten(0))
    optimizer = torch.optim.RMSprop(taste.parameters(), lr=2e-3)
    for hour in range(30):
        for some in torch.randperm(1200).chunk(24):
            optimizer.zero_grad()
            loss = preference(taste(heard[some]), chosen[some])
            loss.backward()
            optimizer.step()
        if hour % 10 == 9:
            with torch.no_grad():
                right = (taste(heard[1200:]) > 0) == (chosen[1200:] == 1)
            print(f"hour {hour + 1}: loss {loss.item():.3f}, right {right.float().mean():.2f}")
    return taste, optimizer


def sick():
    return survey(signed=False)


def well():
    return survey(signed=True)


if __name__ == "__main__":
    sick()
