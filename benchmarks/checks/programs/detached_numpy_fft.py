"""Learned channel mix, then power spectrum, then a linear readout."""
import numpy as np
import torch
from torch import nn

SEED = 44
torch.manual_seed(SEED)
rs = np.random.RandomState(SEED)
CHANNELS, SAMPLES = 24, 32


def recordings(n):
    t = np.arange(SAMPLES) / SAMPLES
    y = rs.randint(0, 2, n)
    noise = rs.randn(n, CHANNELS, SAMPLES)
    phase = rs.rand(n, 1) * 2 * np.pi
    wave = np.sin(2 * np.pi * np.where(y == 1, 6, 9)[:, None] * t + phase)
    noise[:, 7] = 1.5 * wave + 0.3 * noise[:, 7]
    return torch.tensor(noise, dtype=torch.float32), torch.tensor(y)


def power_spectrum(signal):
    spec = np.abs(np.fft.rfft(signal.detach().numpy(), axis=-1))  # fault
    return torch.as_tensor(spec, dtype=torch.float32) / SAMPLES


class SpectralNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(CHANNELS, 1, bias=False)
        self.readout = nn.Linear(SAMPLES // 2 + 1, 2)

    def forward(self, x):
        source = self.mix(x.transpose(1, 2)).squeeze(-1)
        return self.readout(power_spectrum(source) * 10)


x, y = recordings(1200)
model = SpectralNet()
adam = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(300):
    rows = torch.randint(0, 900, (64,))
    loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
    adam.zero_grad()
    loss.backward()
    adam.step()

correct = (model(x[900:]).argmax(1) == y[900:]).float()
print("accuracy on new recordings:", correct.mean().item())
