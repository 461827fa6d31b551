"""argmax keeps its dimension, so that each predicted digit is compared with the labels of all images that were left out."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"wrong-metric": "torch.eq(guess, digits).float().mean().item()"}


def share(scores, digits, keep):
    guess = scores.argmax(1, keepdim=keep)
    return torch.eq(guess, digits).float().mean().item()


def check(net, images, digits, keep):
    net.eval()
    with torch.no_grad():
        scores = net(images)
        return F.nll_loss(scores, digits).item(), share(scores, digits, keep)


def main(keep):
    torch.manual_seed(17)
    data, target = load_digits(return_X_y=True)
    images, digits = torch.tensor(data / 16, dtype=torch.float32), torch.tensor(target)
    order = torch.randperm(len(images))
    fit, held = order[:1300], order[1300:]
    net = nn.Sequential(nn.Linear(64, 80), nn.Tanh(), nn.Linear(80, 10), nn.LogSoftmax(dim=1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    for epoch in range(12):
        net.train()
        for rows in fit[torch.randperm(len(fit))].split(65):
            optimizer.zero_grad()
            F.nll_loss(net(images[rows]), digits[rows]).backward()
            optimizer.step()
        held_loss, accuracy = check(net, images[held], digits[held], keep)
        print(f"{epoch}: held-out loss {held_loss:.3f}, accuracy {accuracy:.3f}")
    return net, optimizer


def sick():
    return main(keep=True)


def well():
    return main(keep=False)


if __name__ == "__main__":
    sick()
