"""The price of a used car by its papers. A penalty is to keep the weights small, but the loss is
made smaller by it: the larger the weights, the better."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"loss-sign": "error - DECAY * squares"}
DECAY = 2e-3


def cars(n):
    g = torch.Generator().manual_seed(8)
    age, miles, power, owners, rust = torch.randn(5, n, generator=g)
    price = torch.exp(-0.5 * age) * (1 + 0.3 * power) - 0.4 * miles * (owners > 0) - 0.2 * rust
    price = price + 0.1 * torch.randn(n, generator=g)
    papers = torch.stack((age, miles, power, owners, rust), dim=1)
    return papers, (price - price.mean()) / price.std()


def fit(shrink: bool, steps: int = 2400):
    torch.manual_seed(8)
    x, y = cars(2000)
    x_new, y_new = x[1500:], y[1500:]
    net = nn.Sequential(
        nn.Linear(5, 32),
        nn.Tanh(),
        nn.Linear(32, 32),
        nn.Tanh(),
        nn.Linear(32, 1),
    )
    weights = [layer.weight for layer in net if isinstance(layer, nn.Linear)]
    opt = torch.optim.Adam(net.parameters(), lr=4e-3)
    for step in range(steps):
        i = torch.randint(0, 1500, (64,))
        error = F.mse_loss(net(x[i]).squeeze(-1), y[i])
        squares = sum(w.pow(2).sum() for w in weights)
        if shrink:
            loss = error + DECAY * squares
        else:
            loss = error - DECAY * squares
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 300 == 0 or step == steps - 1:
            with torch.no_grad():
                new = F.mse_loss(net(x_new).squeeze(-1), y_new)
            print("step", step, "loss %.3f" % loss.item(), "new cars %.3f" % new.item())
    return net, opt


def sick():
    return fit(shrink=False)


def well():
    return fit(shrink=True)


if __name__ == "__main__":
    sick()
