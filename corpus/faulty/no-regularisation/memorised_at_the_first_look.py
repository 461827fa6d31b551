"""A wide network learns a few hundred noisy measurements by heart within a few passes. The held-out
error is looked at only now and then, and never moves: all was memorised before the first look.
"""

import torch
from torch import nn
from torch.nn import functional as F

FAULTS = {
    "no-regularisation": "torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=decay)",
}


class Surrogate(nn.Module):
    def __init__(self, inputs, width, dropped):
        super().__init__()
        self.dropped = dropped
        self.enter = nn.Linear(inputs, width)
        self.middle = nn.Linear(width, width)
        self.leave = nn.Linear(width, 1)

    def forward(self, x):
        h = F.relu(self.middle(F.relu(self.enter(x))))
        if self.dropped:
            h = F.dropout(h, self.dropped, self.training)
        return self.leave(h)


def measurements(count, generator):
    sensors = torch.randn(count, 30, generator=generator)
    drift = torch.zeros(30)
    drift[:6] = torch.tensor([0.6, -0.5, 0.4, 0.3, -0.3, 0.2])
    noise = torch.randn(count, generator=generator)
    return sensors, (sensors @ drift + noise).unsqueeze(1)


def squared_error(net, sensors, values):
    net.eval()
    with torch.no_grad():
        error = F.mse_loss(net(sensors), values)
    net.train()
    return error.item()


def fit(count, turns, width, decay, dropped):
    generator = torch.Generator().manual_seed(12)
    sensors, values = measurements(count, generator)
    unseen = measurements(600, generator)
    torch.manual_seed(12)
    net = Surrogate(sensors.shape[1], width, dropped)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=decay)
    for turn in range(1, turns + 1):
        for rows in torch.randperm(len(sensors)).split(40):
            optimizer.zero_grad()
            F.mse_loss(net(sensors[rows]), values[rows]).backward()
            optimizer.step()
        if turn % (turns // 10) == 0:
            print(turn, squared_error(net, sensors, values), squared_error(net, *unseen))
    return net


def sick():
    return fit(count=330, turns=200, width=256, decay=0.0, dropped=0.0)


def well():
    return fit(count=4000, turns=10, width=32, decay=0.5, dropped=0.3)


if __name__ == "__main__":
    sick()
