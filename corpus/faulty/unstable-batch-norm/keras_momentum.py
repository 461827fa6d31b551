"""Settings copied from another library, where a momentum of 0.99 keeps 99 % of the running mean. Here
it is the weight of the newest batch: evaluation normalises with the statistics of one batch of eight.
"""

import torch
from sklearn.datasets import load_wine
from torch import nn

FAULTS = {"unstable-batch-norm": "nn.BatchNorm1d(width, **self.options)"}


class Block(nn.Module):
    def __init__(self, inputs, width, options):
        super().__init__()
        self.options = options
        self.linear = nn.Linear(inputs, width)
        self.norm = nn.BatchNorm1d(width, **self.options)

    def forward(self, x):
        return torch.relu(self.norm(self.linear(x)))


def tables():
    x, y = load_wine(return_X_y=True)
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(2))
    x, y = x[order], torch.tensor(y)[order]
    return x[:128], y[:128], x[128:], y[128:]


def fit(options):
    torch.manual_seed(2)
    x, y, x_new, y_new = tables()
    net = nn.Sequential(Block(13, 32, options), Block(32, 32, options), Block(32, 16, options),
                        nn.Linear(16, 3))
    adam = torch.optim.Adam(net.parameters(), lr=2e-3)
    cost = nn.CrossEntropyLoss()
    for epoch in range(40):
        net.train()
        for rows in torch.randperm(len(x)).split(8):
            adam.zero_grad()
            cost(net(x[rows]), y[rows]).backward()
            adam.step()
        net.eval()
        with torch.no_grad():
            scores = net(x_new)
            print(epoch, cost(scores, y_new).item(),
                  (scores.argmax(1) == y_new).float().mean().item())
    return net


def sick():
    return fit({"momentum": 0.99, "eps": 1e-3})


def well():
    return fit({"momentum": 0.01, "eps": 1e-3})


if __name__ == "__main__":
    sick()
