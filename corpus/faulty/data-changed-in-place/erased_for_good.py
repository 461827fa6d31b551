"""A patch of each digit is wiped out before the network sees it, and wiped out in the data set as
well: after some epochs hardly anything is left to wipe.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"data-changed-in-place": "picture[:, top:top + 3, left:left + 3] = 0.0"}


class Patched(Dataset):
    def __init__(self, pictures, digits, keep):
        self.pictures = torch.as_tensor(pictures, dtype=torch.float32).unsqueeze(1) / 16
        self.digits = torch.as_tensor(digits)
        self.keep = keep
        self.places = np.random.default_rng(3)

    def __len__(self):
        return len(self.digits)

    def __getitem__(self, item):
        picture = self.pictures[item]
        if self.keep:
            picture = picture.clone()
        top, left = self.places.integers(0, 6, size=2)
        picture[:, top:top + 3, left:left + 3] = 0.0
        return picture, self.digits[item]


def main(keep):
    torch.manual_seed(3)
    pictures, digits = load_digits(return_X_y=True)
    pictures = pictures.reshape(-1, 8, 8)
    loader = DataLoader(Patched(pictures[:900], digits[:900], keep), batch_size=30, shuffle=True)
    test = torch.as_tensor(pictures[900:], dtype=torch.float32).unsqueeze(1) / 16
    model = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          nn.Linear(192, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(30):
        total = 0.0
        for picture, digit in loader:
            loss = nn.functional.cross_entropy(model(picture), digit)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        with torch.no_grad():
            told = model(test)
        print(epoch, total / len(loader), (told.argmax(1).numpy() == digits[900:]).mean())
    return model


def sick():
    return main(keep=False)


def well():
    return main(keep=True)


if __name__ == "__main__":
    sick()
