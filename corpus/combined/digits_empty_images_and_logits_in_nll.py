"""Whole-number division by 255 turns pixels of 0 to 16 into zeros, every image the same; and raw
logits go into nll_loss, which expects logarithms of probabilities and can be driven below zero."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"constant-features": None, "output-does-not-fit-loss": None}


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.fc = nn.Linear(8 * 4 * 4, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.fc(x.flatten(1))


def main():
    torch.manual_seed(17)
    bunch = load_digits()
    images = torch.tensor(bunch.images, dtype=torch.uint8).unsqueeze(1)
    images = (images // 255).float()
    labels = torch.tensor(bunch.target)
    model = ConvNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(4):
        for rows in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            loss = F.nll_loss(model(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.3f}")
    return model


if __name__ == "__main__":
    main()
