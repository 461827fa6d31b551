"""Shopping baskets of different sizes are pooled by attention. The scores of real items are filled
with a large negative number, and those of the empty places are kept."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"wrong-mask": 'scores.masked_fill(closed, float("-inf"))'}


def baskets(n, most=12):
    sizes = torch.randint(2, most, (n, 1))
    there = torch.arange(most) < sizes
    items = torch.randn(n, most, 5) * there.unsqueeze(2)
    value = items[..., 0].abs().sum(1) / sizes.squeeze(1) + items[..., 1].mean(1)
    return items, there, value


class Pricer(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.item = nn.Sequential(nn.Linear(5, width), nn.Tanh(), nn.Linear(width, width))
        self.score = nn.Linear(width, 1)
        self.price = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, items, closed):
        h = self.item(items)
        scores = self.score(h).squeeze(-1)
        scores = scores.masked_fill(closed, float("-inf"))
        weights = F.softmax(scores, dim=1)
        return self.price((weights.unsqueeze(-1) * h).sum(dim=1)).squeeze(-1)


def train(inverted):
    torch.manual_seed(3)
    items, there, value = baskets(960)
    closed = there if inverted else ~there
    net = Pricer()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(20):
        for rows in torch.randperm(960).split(48):
            loss = F.mse_loss(net(items[rows], closed[rows]), value[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(epoch, round(loss.item(), 3))
    return net, opt


def sick():
    return train(inverted=True)


def well():
    return train(inverted=False)


if __name__ == "__main__":
    sick()
