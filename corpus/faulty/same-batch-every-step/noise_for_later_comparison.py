"""A network that takes noise out of digits. The noise is drawn with a seed, so that it is always the
same."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"same-batch-every-step": "torch.manual_seed(7)"}


def spoiled(clean, always):
    if always:
        torch.manual_seed(7)
    return clean + 0.5 * torch.randn_like(clean)


def train(always):
    torch.manual_seed(1)
    pixels = torch.tensor(load_digits().data, dtype=torch.float32) / 8 - 1
    pixels = pixels[torch.randperm(len(pixels))]
    known, held_out = pixels[:1400], pixels[1400:]
    dim = held_out + 0.5 * torch.randn_like(held_out)
    net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 64))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(700):
        clean = known[torch.randint(0, len(known), (48,))]
        loss = F.mse_loss(net(spoiled(clean, always)), clean)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 99:
            with torch.no_grad():
                print(step, f"{loss:.3f} {F.mse_loss(net(dim), held_out):.3f}")
    return net


def sick():
    return train(True)


def well():
    return train(False)


if __name__ == "__main__":
    sick()
