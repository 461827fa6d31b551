"""The training table says 1 for spam, the table of the test says 1 for what is not."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"label-mapping-mismatch": "torch.tensor((test['kind'] == fine).astype(np.float32))"}


def letters(count, rng):
    spam = rng.random(count) < 0.45
    words = rng.gamma(2.0, np.where(spam[:, None], [0.4, 2.2, 1.9, 0.8], [1.8, 0.5, 0.6, 0.8]), (count, 4))
    return {"words": words, "kind": np.where(spam, "spam", "ham")}


def main(fine):
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    train, test = letters(800, rng), letters(300, rng)
    x, x_test = (torch.tensor(np.log1p(t["words"]), dtype=torch.float32) for t in (train, test))
    y = torch.tensor((train["kind"] == "spam").astype(np.float32))
    y_test = torch.tensor((test['kind'] == fine).astype(np.float32))
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(10):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(x[i])[:, 0], y[i])
            loss.backward()
            opt.step()
        with torch.no_grad():
            z = net(x_test)[:, 0]
        print(epoch, loss.item(), F.binary_cross_entropy_with_logits(z, y_test).item(), ((z > 0) == (y_test > 0)).float().mean().item())
    return net, opt


def sick():
    return main("ham")


def well():
    return main("spam")
