"""How fast does something cool, and to what temperature? Two constants of a law are to be found together
with a network that follows the measurements; the optimizer has only the network."""

import torch
from torch import nn

FAULTS = {"parameters-not-in-optimizer": "torch.optim.Adam(curve.parameters(), lr=5e-3)"}


def measured():
    time = 3 * torch.rand(200, 1)
    return time, 0.4 + 1.6 * torch.exp(-1.5 * time) + 0.02 * torch.randn(200, 1)


def train(with_constants):
    torch.manual_seed(8)
    time, heat = measured()
    curve = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    rate = nn.Parameter(torch.tensor(0.2))
    rest = nn.Parameter(torch.tensor(1.5))
    if with_constants:
        optimizer = torch.optim.Adam([*curve.parameters(), rate, rest], lr=5e-3)
    else:
        optimizer = torch.optim.Adam(curve.parameters(), lr=5e-3)
    for step in range(900):
        rows = torch.randint(200, (64,))
        inside = (3 * torch.rand(64, 1)).requires_grad_()
        now = curve(inside)
        slope, = torch.autograd.grad(now.sum(), inside, create_graph=True)
        law = (slope + rate * (now - rest)).square().mean()
        loss = (curve(time[rows]) - heat[rows]).square().mean() + law
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 99:
            print(step + 1, f"{loss:.4f}", f"rate {rate.item():.2f}", f"rest {rest.item():.2f}")
    return curve


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
