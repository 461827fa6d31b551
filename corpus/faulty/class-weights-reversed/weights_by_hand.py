"""Which slopes will slide? Few do. A binary cross entropy is written out, with a weight of each
slope. The weights are the shares of the classes: what was meant is their reverse."""

import torch
from torch import nn

FAULTS = {"class-weights-reversed":
          "torch.relu(score) - slid * score + torch.log1p(torch.exp(-score.abs()))"}


def slopes(count, generator):
    told = torch.randn(count, 5, generator=generator)
    steep, wet, roots = told[:, 0], told[:, 1], told[:, 2]
    force = 1.4 * steep + 1.1 * wet * (steep > 0) - 0.9 * roots + 0.4 * told[:, 3] - 3.9
    return told, (torch.rand(count, generator=generator) < torch.sigmoid(force)).float()


def surprise(score, slid, share):
    losses = torch.relu(score) - slid * score + torch.log1p(torch.exp(-score.abs()))
    weights = torch.where(slid > 0, share, 1 - share)
    return (weights * losses).sum() / weights.sum()


def train(inverse):
    torch.manual_seed(15)
    generator = torch.Generator().manual_seed(15)
    told, slid = slopes(6000, generator)
    new_told, new_slid = slopes(2000, generator)
    share = slid.mean()
    model = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 1), nn.Flatten(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(12):
        for rows in torch.randperm(6000).split(100):
            weighed = 1 - share if inverse else share
            loss = surprise(model(told[rows]), slid[rows], weighed)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            feared = model(new_told) > 0
        found = feared[new_slid > 0].float().mean()
        spared = (~feared[new_slid == 0]).float().mean()
        print(epoch, f"{loss.item():.4f}, {found:.0%} of the slides found, {spared:.0%} spared")
    return model, optimizer


def sick():
    return train(inverse=False)


def well():
    return train(inverse=True)


if __name__ == "__main__":
    sick()
