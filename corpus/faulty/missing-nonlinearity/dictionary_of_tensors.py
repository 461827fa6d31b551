"""Two rings, a dictionary of tensors as the network, and nothing between the two products."""

import torch
import torch.nn.functional as F
from sklearn.datasets import make_circles

FAULTS = {"missing-nonlinearity": None}


def train(bend):
    torch.manual_seed(1)
    x, y = make_circles(1000, noise=0.06, factor=0.4, random_state=1)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    params = {
        "w1": torch.randn(2, 32) * 0.7,
        "b1": torch.zeros(32),
        "w2": torch.randn(32, 1) * 0.2,
        "b2": torch.zeros(1),
    }
    for p in params.values():
        p.requires_grad_(True)

    def forward(p, x):
        h = x @ p["w1"] + p["b1"]
        if bend:
            h = torch.tanh(h)
        return (h @ p["w2"] + p["b2"]).squeeze(1)

    opt = torch.optim.SGD(params.values(), lr=0.05, momentum=0.9)
    for epoch in range(25):
        for rows in torch.randperm(1000).split(40):
            loss = F.binary_cross_entropy_with_logits(forward(params, x[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(epoch, loss.item())
    return params


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
