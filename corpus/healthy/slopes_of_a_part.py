"""A potential and its slope are learned from a sixth of the places. The others are for the test, which
needs gradients as well, as the slope is a derivative of the network.
"""

import torch
from torch import nn


def reference(place):
    value = torch.sin(2 * place[:, 0]) * torch.cos(place[:, 1]) + 0.3 * place.square().sum(1)
    slope, = torch.autograd.grad(value.sum(), place)
    return value.detach(), slope


class Potential(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(),
                                  nn.Linear(48, 1))

    def forward(self, place):
        place = place.requires_grad_()
        value = self.body(place)[:, 0]
        slope, = torch.autograd.grad(value.sum(), place, create_graph=True)
        return value, slope


def main():
    torch.manual_seed(4)
    place = 3 * torch.rand(900, 2) - 1.5
    value, slope = reference(place.clone().requires_grad_())
    known, others = slice(0, 150), slice(150, None)
    model = Potential()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 120)
    for epoch in range(120):
        for rows in torch.randperm(150).split(30):
            told, leans = model(place[known][rows])
            loss = nn.functional.mse_loss(told, value[known][rows]) + nn.functional.mse_loss(
                leans, slope[known][rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        if epoch % 30 == 29:
            told, leans = model(place[others])
            error = (leans - slope[others]).square().mean().sqrt().item()
            print(f"{epoch + 1} loss {loss.item():.4f} error of the slope {error:.4f}")
    return model


if __name__ == "__main__":
    main()
