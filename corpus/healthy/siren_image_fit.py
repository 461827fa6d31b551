"""SIREN: sine activations with frequency 20 and the weight scales that go with them fit one image as a function of the
pixel's place. Memorising is the aim; half of the pixels are held out all the same."""
import numpy as np
import torch
from torch import nn


class SineLayer(nn.Module):
    def __init__(self, in_features, out_features, is_first=False, omega_0=20.0):
        super().__init__()
        self.omega_0 = omega_0
        self.linear = nn.Linear(in_features, out_features)
        with torch.no_grad():
            bound = 1 / in_features if is_first else np.sqrt(6 / in_features) / omega_0
            self.linear.weight.uniform_(-bound, bound)

    def forward(self, input):
        return torch.sin(self.omega_0 * self.linear(input))


class Siren(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.net = nn.Sequential(SineLayer(2, hidden, is_first=True), SineLayer(hidden, hidden), nn.Linear(hidden, 1))

    def forward(self, coords):
        return self.net(coords)


def get_image(side=48):
    ramp = torch.linspace(-1, 1, side)
    yy, xx = torch.meshgrid(ramp, ramp, indexing="ij")
    r = (xx ** 2 + yy ** 2).sqrt()
    picture = torch.sin(9 * r) * torch.exp(-r) + 0.4 * torch.cos(5 * xx + 2 * yy)
    picture = (picture - picture.mean()) / picture.std()
    return torch.stack([xx, yy], -1).reshape(-1, 2), picture.reshape(-1, 1)


def main():
    torch.manual_seed(20)
    coords, pixels = get_image()
    perm = torch.randperm(len(coords))
    seen, unseen = perm[::2], perm[1::2]
    img_siren = Siren()
    optim = torch.optim.Adam(lr=2e-3, params=img_siren.parameters())
    sched = torch.optim.lr_scheduler.ExponentialLR(optim, 0.9945)
    total_steps = 700
    for step in range(total_steps):
        batch = seen[torch.randint(0, len(seen), (256,))]
        model_output = img_siren(coords[batch])
        loss = ((model_output - pixels[batch]) ** 2).mean()
        if step % 100 == 0 or step == total_steps - 1:
            with torch.no_grad():
                held_out = ((img_siren(coords[unseen]) - pixels[unseen]) ** 2).mean()
            print("Step %d, Total loss %0.6f, held-out %0.6f" % (step, loss.item(), held_out.item()))
        optim.zero_grad()
        loss.backward()
        optim.step()
        sched.step()
    return img_siren, optim


if __name__ == "__main__":
    main()
