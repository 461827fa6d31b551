"""Strength of concrete from its mixture. The share of units that is to be kept is given to a
dropout that takes the share to be dropped."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"too-much-regularisation": "F.dropout(mixed, self.share, self.training)"}
KEPT = 0.9


class Strength(nn.Module):
    def __init__(self, share):
        super().__init__()
        self.first, self.second = nn.Linear(6, 48), nn.Linear(48, 48)
        self.last = nn.Linear(48, 1)
        self.share = share

    def forward(self, mixture):
        mixed = F.relu(self.first(mixture))
        mixed = F.dropout(mixed, self.share, self.training)
        mixed = F.relu(self.second(mixed))
        return self.last(mixed).squeeze(1)


def mixtures(count):
    parts = torch.randn(count, 6)
    cement, water, ash, slag, sand, age = parts.T
    strength = cement - water * cement.tanh() + torch.sin(2 * age) + 0.5 * ash * slag
    strength = strength + 0.3 * sand.abs() + 0.1 * torch.randn(count)
    return parts, (strength - strength.mean()) / strength.std()


def train(share):
    torch.manual_seed(21)
    mixed, strength = mixtures(2000)
    model = Strength(share)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(50):
        model.train()
        for rows in torch.randperm(1600).split(40):
            loss = F.mse_loss(model(mixed[rows]), strength[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 4:
            model.eval()
            with torch.no_grad():
                seen = F.mse_loss(model(mixed[:1600]), strength[:1600])
                rest = F.mse_loss(model(mixed[1600:]), strength[1600:])
            print(f"epoch {epoch}: {loss:.3f}, trained on {seen:.3f}, held out {rest:.3f}")
    return model, optimizer


def sick():
    return train(KEPT)


def well():
    return train(1 - KEPT)


if __name__ == "__main__":
    sick()
