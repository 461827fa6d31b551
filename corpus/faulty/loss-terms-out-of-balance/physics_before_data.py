"""A physics-informed network for a damped swing: a sum of two terms in a list. The equation is summed over all points and
the measured values are averaged, so that the network prefers to stand still."""
import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"loss-terms-out-of-balance": "sum(terms)"}
K, C = 49.0, 2.0


def derivative(y, t):
    return torch.autograd.grad(y, t, torch.ones_like(y), create_graph=True)[0]


def main(weight):
    torch.manual_seed(3)
    t = torch.linspace(0, 1, 60)[:, None]
    swing = torch.exp(-C / 2 * t) * torch.cos((K - C ** 2 / 4) ** 0.5 * t)
    seen_t, seen_y = t[:24:2], swing[:24:2]
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(400):
        points = torch.rand(80, 1).requires_grad_()
        u = net(points)
        first = derivative(u, points)
        residual = derivative(first, points) + C * first + K * u
        terms = [F.mse_loss(net(seen_t), seen_y), residual.pow(2).sum()]
        if weight is not None:
            terms[1] = weight * terms[1] / len(points)
        loss = sum(terms)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(step, [f"{term.item():.4g}" for term in terms])
    return net, optimizer


def sick():
    return main(None)


def well():
    return main(1e-4)


if __name__ == "__main__":
    sick()
