"""A digit classifier normalises its pooled features in groups of one channel each. One number less
its own mean is zero, whatever the image is."""

import torch
from sklearn import datasets
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"constant-output": "nn.GroupNorm(32, 32)"}


def digits():
    bunch = datasets.load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / 16
    return TensorDataset((images - images.mean()) / images.std(), torch.tensor(bunch.target))


def network(*norm):
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Conv2d(32, 32, 2),
        *norm,
        nn.Flatten(),
        nn.Linear(32, 10),
    )


def fit(model):
    loader = DataLoader(digits(), batch_size=64, shuffle=True, drop_last=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(6):
        for images, labels in loader:
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: loss {loss.item():.3f}")
    return model, optimizer


def sick():
    torch.manual_seed(3)
    return fit(network(nn.GroupNorm(32, 32)))


def well():
    torch.manual_seed(3)
    return fit(network())
