"""A variational autoencoder whose loss is a sum over the batch, with the gradient cut to a length of
1. The loss falls all the time, and after the run the digits are still a blur.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"clipping-throttles": "nn.utils.clip_grad_norm_(coder.parameters(), limit)"}


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.code = nn.Linear(64, 96), nn.Linear(96, 12)
        self.leave, self.draw = nn.Linear(6, 96), nn.Linear(96, 64)

    def forward(self, pixels):
        mean, log_variance = self.code(torch.relu(self.enter(2 * pixels - 1))).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.draw(torch.relu(self.leave(code))), mean, log_variance


def train(limit):
    torch.manual_seed(3)
    pixels = torch.tensor(load_digits().data).float() / 16
    pixels = pixels[torch.randperm(len(pixels))]
    coder = Coder()
    optimizer = torch.optim.SGD(coder.parameters(), lr=1e-4, momentum=0.9)
    for epoch in range(40):
        total = 0.0
        for x in pixels[torch.randperm(1500)].split(50):
            drawn, mean, log_variance = coder(x)
            ink = nn.functional.binary_cross_entropy_with_logits(drawn, x, reduction="sum")
            apart = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
            loss = ink + 0.5 * apart
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(coder.parameters(), limit)
            optimizer.step()
            total += loss.item()
        print(f"{epoch} loss per digit {total / 1500:.2f}")
    return coder


def sick():
    return train(limit=1.0)


def well():
    return train(limit=1000.0)


if __name__ == "__main__":
    sick()
