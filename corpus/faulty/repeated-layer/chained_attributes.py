"""Three numbered convolutions are assigned in one line, and so they are one."""
import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"repeated-layer": "self.conv1 = self.conv2 = self.conv3 = nn.Conv2d(12, 12, 3, padding=1)"}


class Chained(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 12, 3, padding=1)
        self.conv1 = self.conv2 = self.conv3 = nn.Conv2d(12, 12, 3, padding=1)
        self.head = nn.Linear(12, 10)

    def forward(self, x):
        x = self.stem(x).relu()
        for conv in (self.conv1, self.conv2, self.conv3):
            x = conv(x).relu()
        return self.head(x.mean((2, 3)))


class Separate(Chained):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(12, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 12, 3, padding=1)
        self.conv3 = nn.Conv2d(12, 12, 3, padding=1)


def fit(model):
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(data.target)
    opt = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(6):
        for rows in torch.randperm(len(labels)).split(64):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
            loss.backward()
            opt.step()
        print(epoch, loss.item())
    return model, opt


def sick():
    torch.manual_seed(8)
    return fit(Chained())


def well():
    torch.manual_seed(8)
    return fit(Separate())


if __name__ == "__main__":
    sick()
