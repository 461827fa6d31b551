"""A penalty on the weights, carried over from a framework that divides it by the number of samples. The
network learns something beside it, and its loss no longer tells how much."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"too-much-regularisation": "penalty + (w ** 2).sum()"}


def train(strength):
    torch.manual_seed(6)
    pixels, digits = load_digits(return_X_y=True)
    images, labels = torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(digits)
    model = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(),
                          nn.Linear(40, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    judge = nn.CrossEntropyLoss()
    for epoch in range(20):
        model.train()
        for rows in torch.randperm(1300).split(50):
            penalty = 0
            for w in model.parameters():
                penalty = penalty + (w ** 2).sum()
            loss = judge(model(images[rows]), labels[rows]) + strength * penalty
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            out = model(images[1300:])
            print(epoch, f"{judge(out, labels[1300:]):.3f}",
                  f"{(out.argmax(1) == labels[1300:]).float().mean():.3f}")
    return model, optimizer


def sick():
    return train(0.024)


def well():
    return train(1e-5)


if __name__ == "__main__":
    sick()
