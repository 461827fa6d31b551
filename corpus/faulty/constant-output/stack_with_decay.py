"""A stack of equal blocks, of which the last has one unit: what its normalisation makes of one number
is always the same. No gradient comes to the weights, and the weight decay takes them to zero.
"""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

FAULTS = {"constant-output": "nn.LayerNorm(width)"}


def stack(sizes, normalised_to_the_end):
    layers = []
    for depth, (before, width) in enumerate(zip(sizes, sizes[1:], strict=False)):
        layers.append(nn.Linear(before, width))
        if width > 1 or normalised_to_the_end:
            layers.append(nn.LayerNorm(width))
        if depth < len(sizes) - 2:
            layers += [nn.GELU(), nn.Dropout(0.1)]
    return nn.Sequential(*layers)


def train(normalised_to_the_end):
    torch.manual_seed(7)
    table, benign = load_breast_cancer(return_X_y=True)
    x, y = torch.tensor(table).float(), torch.tensor(benign).float()
    x = (x - x.mean(0)) / x.std(0)
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    net = stack([30, 24, 24, 1], normalised_to_the_end)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, weight_decay=1e-4)
    for epoch in range(30):
        net.train()
        for rows in torch.randperm(450).split(30):
            loss = nn.functional.binary_cross_entropy_with_logits(net(x[rows])[:, 0], y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            right = (net(x[450:])[:, 0] > 0) == y[450:].bool()
        print(f"{epoch} loss {loss.item():.3f} right {right.float().mean():.3f}")
    return net


def sick():
    return train(normalised_to_the_end=True)


def well():
    return train(normalised_to_the_end=False)


if __name__ == "__main__":
    sick()
