"""Numbers that look like fillers and are none: rain that is zero on most days, a scale that ends, flags, counts, and
a log of a count; and -999 for what is missing, which the model itself takes out and is told of."""
import torch
from torch import nn


class Weather(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 1))

    def forward(self, x):
        missing = x == -999.0
        return self.layers(torch.cat([x.masked_fill(missing, 0.0), missing.float()], 1)).squeeze(1)


def days(count, generator):
    def draw(kind):
        return getattr(torch, kind)(count, generator=generator)

    rain = torch.where(draw("rand") < 0.6, 0.0, 0.2 + 3 * draw("rand"))
    gauge = (2.0 * draw("randn")).clamp(-1.5, 2.5)
    flag = (draw("rand") < 0.03).float() * 50
    storms = torch.poisson(draw("rand") * 0.4, generator=generator)
    sky = torch.log1p(torch.poisson(draw("rand") * 9, generator=generator))
    wind, sun, dew = draw("randn"), draw("randn"), draw("randn")
    wet = rain - 0.5 * gauge + 0.02 * flag + storms + wind * sun + 0.2 * draw("randn")
    x = torch.stack([rain, gauge, flag, storms, sky, wind, sun, dew], 1)
    x[:, 5:][torch.rand(count, 3, generator=generator) < 0.05] = -999.0
    return x, (wet - wet.mean()) / wet.std()


def main():
    torch.manual_seed(24)
    generator = torch.Generator().manual_seed(24)
    (x, y), (x_new, y_new) = days(900, generator), days(300, generator)
    model = Weather()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-3)
    for epoch in range(12):
        for rows in torch.randperm(900).split(30):
            loss = nn.functional.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(epoch, f"{loss:.3f} {nn.functional.mse_loss(model(x_new), y_new):.3f}")
    return model, optimizer
