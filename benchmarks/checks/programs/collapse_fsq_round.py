"""Digits through a finite scalar quantiser (straight-through), then a decoder."""
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(101)
LEVELS = 4.0

pixels = torch.tensor(load_digits().data, dtype=torch.float32) / 16.0
train, valid = pixels[:1400], pixels[1400:]


class FSQ(nn.Module):
    def __init__(self, levels):
        super().__init__()
        self.levels = levels

    def forward(self, z):
        bounded = torch.tanh(z)
        codes = torch.round(bounded / self.levels) * self.levels  # fault
        return bounded + (codes - bounded).detach()


class AutoEncoder(nn.Module):
    def __init__(self, bottleneck=10):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.SiLU(), nn.Linear(48, bottleneck))
        self.quant = FSQ(LEVELS)
        self.decoder = nn.Sequential(nn.Linear(bottleneck, 48), nn.SiLU(), nn.Linear(48, 64))

    def forward(self, x):
        return self.decoder(self.quant(self.encoder(x)))


def train_model(model, steps=400, batch=64):
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(steps):
        x = train[torch.randint(0, len(train), (batch,))]
        loss = (model(x) - x).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return model


if __name__ == "__main__":
    ae = train_model(AutoEncoder())
    with torch.no_grad():
        rest = (ae(valid) - valid).pow(2).mean()
    explained = 1 - rest / (valid - train.mean(0)).pow(2).mean()
    print("explained variance:", float(explained))
