"""A regression in bfloat16 at a small learning rate: most steps of Adam are smaller than the
spacing of the weights. In float32 they add up."""

import torch
from sklearn.datasets import make_regression

FAULTS = {"low-precision-update": "torch.optim.Adam(net.parameters(), lr=3e-4)"}


def regression(dtype, turns):
    x, y = make_regression(1200, 12, n_informative=12, noise=2.0, random_state=1)
    x, y = torch.tensor(x), torch.tensor(y)
    y = (y - y.mean()) / y.std()
    net = torch.nn.Linear(12, 1)
    with torch.no_grad():
        net.bias.zero_()
    net = net.to(dtype)
    x, y = x.to(dtype), y.to(dtype)
    adam = torch.optim.Adam(net.parameters(), lr=3e-4)
    for _ in range(turns):
        for pick in torch.randperm(1200).split(100):
            loss = torch.nn.functional.mse_loss(net(x[pick]).squeeze(1), y[pick])
            loss.backward()
            adam.step()
            adam.zero_grad()
    return net, adam


def sick():
    torch.manual_seed(9)
    return regression(torch.bfloat16, turns=100)


def well():
    torch.manual_seed(9)
    return regression(torch.float32, turns=250)
