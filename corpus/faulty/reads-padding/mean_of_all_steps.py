"""Sets of readings with different numbers of them are padded with -1 to forty steps, and the network
takes the mean over all forty: what is real is a small and different share of it each time."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"reads-padding": "h.mean(dim=1)"}


def readings(n, longest=40):
    x = torch.full((n, longest, 3), -1.0)
    y = torch.zeros(n)
    for i in range(n):
        k = int(torch.randint(2, 16, ()))
        values = torch.rand(k, 3)
        x[i, :k] = values
        y[i] = (values[:, 0] * values[:, 1]).mean()
    return x, (y - 0.25) / 0.1


class Summary(nn.Module):
    def __init__(self, masked, width=32):
        super().__init__()
        self.masked = masked
        self.each = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, width))
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        h = self.each(x)
        if self.masked:
            real = (x[..., 0] >= 0).float().unsqueeze(2)
            h = (h * real).sum(dim=1) / real.sum(dim=1)
        else:
            h = h.mean(dim=1)
        return self.out(h).squeeze(1)


def train(masked):
    torch.manual_seed(1)
    x, y = readings(800)
    net = Summary(masked)
    opt = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(20):
        losses = []
        for rows in torch.randperm(len(x)).split(40):
            loss = F.mse_loss(net(x[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
            losses.append(loss.item())
        if epoch % 4 == 3:
            print(f"{epoch + 1}: {sum(losses) / len(losses):.3f}")
    return net, opt


def sick():
    return train(masked=False)


def well():
    return train(masked=True)


if __name__ == "__main__":
    sick()
