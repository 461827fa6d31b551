"""Ten sigmoid layers, through which no gradient comes back, and gradients that are never cleared."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

FAULTS = {"vanishing-gradients": None, "gradients-not-zeroed": None}


class DeepNet(nn.Module):
    def __init__(self, depth=10, width=32):
        super().__init__()
        sizes = [64] + [width] * depth
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.last = nn.Linear(width, 10)

    def forward(self, x):
        for layer in self.layers:
            x = torch.sigmoid(layer(x))
        return self.last(x)


def train(model, x, y, steps=400):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(steps):
        rows = torch.randint(0, len(x), (64,))
        loss = F.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(step, round(loss.item(), 4))


def main():
    torch.manual_seed(5)
    x, y = load_digits(return_X_y=True)
    x = torch.from_numpy(x).float()
    x = (x - x.mean()) / x.std()
    net = DeepNet()
    train(net, x, torch.from_numpy(y))
    return net


if __name__ == "__main__":
    main()
