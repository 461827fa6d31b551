"""The averaged weights of a training are saved, and a new network of the same kind is to be tested
with them. Their keys begin with the name of the wrapper, and none is loaded.
"""

import io

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.optim.swa_utils import AveragedModel

FAULTS = {"checkpoint-not-loaded": 'net.load_state_dict(torch.load(file)["average"], strict=False)'}


def network():
    return nn.Sequential(nn.Linear(13, 24), nn.Tanh(), nn.Linear(24, 3))


def tested(file, x, y, strict):
    net = network()
    if strict:
        average = AveragedModel(net)
        average.load_state_dict(torch.load(file)["average"])
        net = average.module
    else:
        net.load_state_dict(torch.load(file)["average"], strict=False)
    with torch.no_grad():
        return (net.eval()(x).argmax(1) == y).float().mean().item()


def train(strict):
    torch.manual_seed(1)
    x, y = (torch.tensor(part) for part in load_wine(return_X_y=True))
    x = ((x - x.mean(0)) / x.std(0)).float()
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    net, file = network(), io.BytesIO()
    average = AveragedModel(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(30):
        for rows in torch.randperm(128).split(16):
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        average.update_parameters(net)
    torch.save({"average": average.state_dict()}, file)
    file.seek(0)
    print(f"loss {loss.item():.3f}, right {tested(file, x[128:], y[128:], strict):.2f}")
    return net


def sick():
    return train(strict=False)


def well():
    return train(strict=True)


if __name__ == "__main__":
    sick()
