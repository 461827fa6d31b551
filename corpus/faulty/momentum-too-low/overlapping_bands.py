"""Plain descent on standardised bands that overlap: the steps go to and fro across the direction
that all bands share, and hardly along the others."""

import torch
from torch import nn

FAULTS = {
    "momentum-too-low": "torch.optim.SGD(calibration.parameters(), lr=rate, momentum=momentum)"}


def absorbances(samples, generator, bands=48):
    wavelength = torch.linspace(0, 1, bands)
    centres = torch.tensor([0.1, 0.35, 0.55, 0.8])
    shapes = torch.exp(-(((wavelength - centres[:, None]) / 0.4) ** 2))
    amounts = torch.rand(samples, 4, generator=generator)
    baseline = 0.8 * torch.randn(samples, 1, generator=generator)
    noise = 0.002 * torch.randn(samples, bands, generator=generator)
    return amounts @ shapes + baseline + noise, amounts[:, 1] - 0.5 * amounts[:, 2]


def calibrate(rate, momentum, epochs):
    generator = torch.Generator().manual_seed(29)
    spectra, moisture = absorbances(640, generator)
    fresh, truth = absorbances(200, generator)
    middle, spread = spectra.mean(0), spectra.std(0)
    spectra, fresh = (spectra - middle) / spread, (fresh - middle) / spread
    centre, scale = moisture.mean(), moisture.std()
    moisture, truth = (moisture - centre) / scale, (truth - centre) / scale

    calibration = nn.Linear(spectra.shape[1], 1)
    optimizer = torch.optim.SGD(calibration.parameters(), lr=rate, momentum=momentum)
    for epoch in range(epochs):
        for rows in torch.randperm(len(spectra)).split(128):
            error = calibration(spectra[rows]).squeeze(1) - moisture[rows]
            loss = error.square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 20 == 19:
            with torch.no_grad():
                left = (calibration(fresh).squeeze(1) - truth).square().mean()
            print(f"epoch {epoch + 1}: {loss.item():.4f}, fresh {left.item():.4f}")
    return calibration, optimizer


def sick():
    torch.manual_seed(4)
    return calibrate(rate=0.0195, momentum=0.0, epochs=200)


def well():
    torch.manual_seed(4)
    return calibrate(rate=0.0195, momentum=0.95, epochs=200)


if __name__ == "__main__":
    sick()
