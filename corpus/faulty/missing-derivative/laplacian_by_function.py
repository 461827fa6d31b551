"""The Laplacian of a network over the plane, in which leaky ReLUs are called as functions."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd import grad

FAULTS = {"missing-derivative": "F.leaky_relu(self.first(points), 0.1)"}


class Potential(nn.Module):
    def __init__(self, smooth):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 40), nn.Linear(40, 40), nn.Linear(40, 1)
        self.smooth = smooth

    def forward(self, points):
        if self.smooth:
            return self.last(F.softplus(self.second(F.softplus(self.first(points), 4)), 4))
        x = F.leaky_relu(self.first(points), 0.1)
        x = F.leaky_relu(self.second(x), 0.1)
        return self.last(x)


def laplacian(network, points):
    value = network(points)
    slopes, = grad(outputs=value.sum(), inputs=points, create_graph=True)
    total = 0
    for axis in range(points.shape[1]):
        again = grad(outputs=slopes[:, axis].sum(), inputs=points, create_graph=True)[0]
        total = total + again[:, axis]
    return total


def run(smooth):
    torch.manual_seed(16)
    network = Potential(smooth)
    opt = torch.optim.Adam(network.parameters(), 1e-3)
    for iteration in range(400):
        inside = torch.rand(96, 2, requires_grad=True)
        edge = torch.rand(48, 2)
        side = torch.randint(2, (48,))
        edge[torch.arange(48), side] = torch.randint(2, (48,)).float()
        charge = 4 * torch.exp(-20 * ((inside - 0.5) ** 2).sum(1)).detach()
        loss = F.mse_loss(laplacian(network, inside), charge) + 5 * network(edge).pow(2).mean()
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        if iteration % 80 == 0:
            print(iteration, loss.item())
    return network, opt


def sick():
    return run(smooth=False)


def well():
    return run(smooth=True)


if __name__ == "__main__":
    sick()
