"""Two data sets of the same class. Only that of training is given the transform, so the network is
judged on pixels of quite another size."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"train-validation-mismatch": "Figures(pixels[1300:], digits[1300:])"}


def lighter(image):
    return (image / 16 - 0.3) / 0.38


class Figures(Dataset):
    def __init__(self, images, labels, transform=None):
        self.images = torch.tensor(images, dtype=torch.float32)
        self.labels = torch.tensor(labels)
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = self.images[index]
        if self.transform is not None:
            image = self.transform(image)
        return image, self.labels[index]


def fit(trained, held):
    torch.manual_seed(11)
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    judge = nn.CrossEntropyLoss()
    for epoch in range(8):
        model.train()
        for images, labels in DataLoader(trained, batch_size=50, shuffle=True):
            optimizer.zero_grad()
            loss = judge(model(images), labels)
            loss.backward()
            optimizer.step()
        model.eval()
        total = right = 0.0
        with torch.no_grad():
            for images, labels in DataLoader(held, batch_size=497):
                out = model(images)
                total += judge(out, labels).item()
                right += (out.argmax(1) == labels).float().mean().item()
        print(epoch, f"{loss.item():.3f} {total:.3f} {right:.3f}")
    return model, optimizer


def sick():
    pixels, digits = load_digits(return_X_y=True)
    trained = Figures(pixels[:1300], digits[:1300], lighter)
    return fit(trained, Figures(pixels[1300:], digits[1300:]))


def well():
    pixels, digits = load_digits(return_X_y=True)
    trained = Figures(pixels[:1300], digits[:1300], lighter)
    return fit(trained, Figures(pixels[1300:], digits[1300:], lighter))


if __name__ == "__main__":
    sick()
