"""An encoder and a probe upon it are trained in turn, each with an optimizer of its own. Where the
encoder's should step, the probe's does, so that the encoder stays as it was made.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

FAULTS = {"step-never-called": "torch.optim.Adam(self.encoder.parameters(), lr=2e-3)"}


class Pair:
    def __init__(self, mixed_up):
        self.mixed_up = mixed_up
        self.encoder = nn.Sequential(nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 3))
        self.decoder = nn.Sequential(nn.Linear(3, 24), nn.Tanh(), nn.Linear(24, 64))
        self.encoder_steps = torch.optim.Adam(self.encoder.parameters(), lr=2e-3)
        self.decoder_steps = torch.optim.Adam(self.decoder.parameters(), lr=2e-3)

    def improve_decoder(self, pictures):
        self.decoder_steps.zero_grad()
        loss = F.mse_loss(self.decoder(self.encoder(pictures).detach()), pictures)
        loss.backward()
        self.decoder_steps.step()

    def improve_encoder(self, pictures):
        self.encoder_steps.zero_grad()
        loss = F.mse_loss(self.decoder(self.encoder(pictures)), pictures)
        loss.backward()
        if self.mixed_up:
            self.decoder_steps.step()
        else:
            self.encoder_steps.step()
        return loss.item()


def main(mixed_up):
    torch.manual_seed(14)
    pictures = torch.tensor(load_digits().data, dtype=torch.float32) / 16
    pair = Pair(mixed_up)
    for epoch in range(16):
        for rows in torch.randperm(len(pictures)).split(60):
            pair.improve_decoder(pictures[rows])
            error = pair.improve_encoder(pictures[rows])
        print(epoch, round(error, 4))
    return pair.encoder, pair.decoder


def sick():
    return main(mixed_up=True)


def well():
    return main(mixed_up=False)


if __name__ == "__main__":
    sick()
