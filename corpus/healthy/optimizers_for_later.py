"""Two optimizers are built beside the one that is used: one for the last passes, over the same weights,
and one for a head that is trained when the body is done.
"""

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.nn import functional as F


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        self.kind = nn.Linear(16, 3)
        self.strength = nn.Linear(16, 1)

    def forward(self, x):
        deep = self.body(x)
        return self.kind(deep), self.strength(deep).squeeze(1)


def main():
    torch.manual_seed(21)
    x, y = load_wine(return_X_y=True)
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    y, alcohol = torch.tensor(y), x[:, 0] * x[:, 6]
    net = Body()
    both = [*net.body.parameters(), *net.kind.parameters()]
    fast = torch.optim.Adam(both, lr=5e-3)
    fine = torch.optim.SGD(both, lr=1e-3, momentum=0.9)  # never needed so far
    head = torch.optim.Adam(net.strength.parameters(), lr=1e-2)
    for epoch in range(60):
        for rows in torch.randperm(len(x)).split(30):
            kind, strength = net(x[rows])
            loss = F.cross_entropy(kind, y[rows]) + 0.1 * F.mse_loss(strength, alcohol[rows])
            net.zero_grad()
            loss.backward()
            (fast if epoch < 30 else head).step()
        if epoch % 10 == 9:
            print(epoch, round(loss.item(), 4), type(fine).__name__)
    return net


if __name__ == "__main__":
    main()
