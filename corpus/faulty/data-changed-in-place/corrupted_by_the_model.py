"""A network corrupts its input a little, in place. The batches are parts of one tensor, so the zeros
pile up in the data from epoch to epoch.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"data-changed-in-place": "nn.Dropout(0.1, inplace=in_place)"}


class Net(nn.Module):
    def __init__(self, in_place):
        super().__init__()
        self.corrupt = nn.Dropout(0.1, inplace=in_place)
        self.body = nn.Sequential(nn.Linear(64, 80), nn.ReLU(), nn.Linear(80, 10))

    def forward(self, pixels):
        return self.body(self.corrupt(pixels))


def train(in_place):
    torch.manual_seed(5)
    pixels, digits = load_digits(return_X_y=True)
    x, y = torch.tensor(pixels / 8 - 1).float(), torch.tensor(digits)
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    batches = list(zip(x[:1500].split(30), y[:1500].split(30), strict=True))
    net = Net(in_place)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(25):
        net.train()
        for at in torch.randperm(len(batches)).tolist():
            inputs, labels = batches[at]
            loss = nn.functional.cross_entropy(net(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            right = net(x[1500:]).argmax(1) == y[1500:]
        print(f"{epoch} loss {loss.item():.3f} right {right.float().mean():.3f}")
    return net


def sick():
    return train(in_place=True)


def well():
    return train(in_place=False)


if __name__ == "__main__":
    sick()
