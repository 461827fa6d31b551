"""Two noisy views of a digit shall get the same code. Nothing keeps the codes of different digits
apart, so all of them become one; with pairs that must differ they do not."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

FAULTS = {"constant-output": "torch.nn.Linear(64, 16)"}


def encoder():
    return torch.nn.Sequential(
        torch.nn.Linear(64, 64), torch.nn.GELU(), torch.nn.Linear(64, 64), torch.nn.GELU(),
        torch.nn.Linear(64, 16))


def attract(one, other):
    return (one - other).square().sum(1).mean()


def attract_and_repel(one, other):
    closeness = F.normalize(one, dim=1) @ F.normalize(other, dim=1).T / 0.2
    return F.cross_entropy(closeness, torch.arange(len(one)))


def fit(objective):
    images = torch.tensor(load_digits().data, dtype=torch.float32) / 16
    net = encoder()
    adam = torch.optim.Adam(net.parameters(), lr=4e-3)
    for _ in range(45):
        for picked in torch.randperm(len(images)).split(128):
            batch = images[picked]
            one, other = (batch + 0.1 * torch.randn_like(batch) for _ in range(2))
            loss = objective(net(one), net(other))
            adam.zero_grad()
            loss.backward()
            adam.step()
    return net, adam


def sick():
    torch.manual_seed(8)
    return fit(attract)


def well():
    torch.manual_seed(8)
    return fit(attract_and_repel)
