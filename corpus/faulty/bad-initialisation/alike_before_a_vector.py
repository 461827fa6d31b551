"""How tall a sapling grows in a year. All hidden units start as the same weighing of rain, sun and
soil, and are added up by a vector that starts even, so all of them stay one unit."""

import torch

FAULTS = {"bad-initialisation": "weighing.repeat(1, UNITS)"}
UNITS = 24


def saplings(count):
    rain, sun, soil, wind = torch.randn(4, count)
    height = torch.sin(2 * rain) + sun * soil - 0.5 * wind.square() + 0.1 * torch.randn(count)
    return torch.stack([rain, sun, soil, wind], 1), (height - height.mean()) / height.std()


def train(alike):
    torch.manual_seed(9)
    given, height = saplings(2500)
    weighing = torch.tensor([[0.4], [0.3], [0.2], [-0.2]])
    if alike:
        into = weighing.repeat(1, UNITS)
    else:
        into = weighing + torch.randn(4, UNITS)
    shift = torch.zeros(UNITS)
    out = torch.full((UNITS,), 1 / UNITS)
    parts = [part.requires_grad_() for part in (into, shift, out)]
    optimizer = torch.optim.Adam(parts, lr=1e-2)

    def grown(x):
        hidden = torch.tanh(x @ into + shift)
        return hidden @ out

    for epoch in range(60):
        for rows in torch.randperm(2000).split(100):
            loss = (grown(given[rows]) - height[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 10 == 9:
            with torch.no_grad():
                rest = (grown(given[2000:]) - height[2000:]).square().mean()
            print(f"epoch {epoch}: {loss:.3f}, held out {rest:.3f}")
    return parts, optimizer


def sick():
    return train(alike=True)


def well():
    return train(alike=False)


if __name__ == "__main__":
    sick()
