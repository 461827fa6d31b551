"""A small convolutional network for digits is given five passes over the data at a careful rate:
the loss has only begun to fall when the loop ends."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.nn import functional as F

FAULTS = {"too-few-steps": "F.nll_loss(log_p, yb).backward()"}


def load(device="cpu"):
    digits = load_digits()
    order = torch.randperm(len(digits.target), generator=torch.Generator().manual_seed(3))
    images = torch.as_tensor(digits.images, dtype=torch.float32, device=device)[order] / 8 - 1
    labels = torch.as_tensor(digits.target, dtype=torch.long, device=device)[order]
    return images[:1400], labels[:1400], images[1400:], labels[1400:]


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.fc1 = nn.Linear(8 * 4 * 4, hidden)
        self.fc2 = nn.Linear(hidden, 10)

    def forward(self, x):
        h = F.max_pool2d(torch.relu(self.conv(x.unsqueeze(1))), 2)
        h = torch.relu(self.fc1(h.flatten(1)))
        return F.log_softmax(self.fc2(h), dim=1)


def train(args):
    torch.manual_seed(args.seed)
    x, y, x_test, y_test = load()
    net = Net(args.hidden)
    opt = optim.SGD(net.parameters(), lr=args.lr, momentum=0.9)
    for epoch in range(args.epochs):
        for i in torch.randperm(len(x)).split(args.batch_size):
            xb, yb = x[i], y[i]
            opt.zero_grad(set_to_none=True)
            log_p = net(xb)
            F.nll_loss(log_p, yb).backward()
            opt.step()
        with torch.no_grad():
            right = (net(x_test).argmax(1) == y_test).double().mean().item()
        print(f"epoch {epoch + 1:>3}: {right:6.1%} of the test digits")
    return net


def options(epochs):
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--batch-size", type=int, default=40)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.003)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args([])


def sick():
    return train(options(epochs=5))


def well():
    return train(options(epochs=30))


if __name__ == "__main__":
    sick()
