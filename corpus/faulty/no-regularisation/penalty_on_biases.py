"""The sweetness of grapes by forty bands of light. A penalty is added to the loss by hand, on what
has one dimension: these are the biases, and the weights can learn every grape by heart."""

import torch
from torch import nn

FAULTS = {"no-regularisation": "torch.optim.Adam(model.parameters(), lr=1e-3)"}


def grapes(count, generator):
    light = torch.randn(count, 40, generator=generator)
    sugar = light[:, :8].sum(1) / 8 ** 0.5
    return light, sugar + 0.6 * torch.randn(count, generator=generator)


class Sweetness(nn.Module):
    def __init__(self, width=80):
        super().__init__()
        self.hidden = nn.ModuleList([nn.Linear(40, width), nn.Linear(width, width)])
        self.last = nn.Linear(width, 1)

    def forward(self, light):
        for layer in self.hidden:
            light = torch.relu(layer(light))
        return self.last(light).squeeze(1)


def penalty(model, dimensions):
    return sum(each.square().sum() for each in model.parameters() if each.ndim == dimensions)


def train(dimensions):
    torch.manual_seed(33)
    generator = torch.Generator().manual_seed(33)
    light, sugar = grapes(500, generator)
    light_new, sugar_new = grapes(300, generator)
    model = Sweetness()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(80):
        for rows in torch.randperm(500).split(50):
            loss = nn.functional.mse_loss(model(light[rows]), sugar[rows])
            whole = loss + 0.03 * penalty(model, dimensions)
            optimizer.zero_grad()
            whole.backward()
            optimizer.step()
        if epoch % 4 == 3:
            with torch.no_grad():
                apart = nn.functional.mse_loss(model(light_new), sugar_new)
            print(epoch + 1, f"{loss.item():.4f} {apart:.4f}")
    return model, optimizer


def sick():
    return train(dimensions=1)


def well():
    return train(dimensions=2)


if __name__ == "__main__":
    sick()
