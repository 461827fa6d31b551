"""One patient in a hundred is ill, and all that is looked at is an accuracy of 99 %."""

import torch
from torch import nn

FAULTS = {"class-imbalance": "nn.BCEWithLogitsLoss(pos_weight=weight)"}


def patients(count):
    values = torch.randn(count, 8)
    risk = 1.6 * values[:, 0] + values[:, 1].abs() - 5.4
    return values, (torch.rand(count) < torch.sigmoid(1.5 * risk)).float()


def share_right(net, values, truth):
    net.eval()
    with torch.no_grad():
        logits = net(values).squeeze(1)
    net.train()
    answer = logits > 0
    found = answer[truth == 1].float().mean()
    return f"accuracy {(answer == (truth == 1)).float().mean():.3f}, of the ill {found:.3f}"


def train(weight):
    torch.manual_seed(4)
    x, y = patients(8000)
    x_new, y_new = patients(4000)
    net = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 1))
    criterion = nn.BCEWithLogitsLoss(pos_weight=weight)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(10):
        for rows in torch.randperm(len(x)).split(100):
            measured, ill = x[rows], y[rows]
            optimizer.zero_grad()
            criterion(net(measured).squeeze(1), ill).backward()
            optimizer.step()
        print(epoch, share_right(net, x_new, y_new))
    return net


def sick():
    return train(None)


def well():
    return train(torch.tensor(60.0))
