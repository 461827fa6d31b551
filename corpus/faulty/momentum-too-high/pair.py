"""A momentum of 0.999 was copied from a run of a hundred thousand steps into one of some hundred."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {
    "momentum-too-high":
        "torch.optim.SGD(self.parameters(), lr=0.05, momentum=self.momentum, nesterov=True)",
}


class Reader(nn.Module):
    def __init__(self, momentum):
        super().__init__()
        self.momentum = momentum
        self.first = nn.Linear(64, 48)
        self.second = nn.Linear(48, 48)
        self.out = nn.Linear(48, 10)

    def forward(self, pixels):
        hidden = torch.tanh(self.first(pixels))
        hidden = torch.tanh(self.second(hidden))
        return self.out(hidden)

    def configure_optimizer(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=self.momentum, nesterov=True)


class Trainer:
    def __init__(self, model, epochs):
        self.model, self.epochs = model, epochs
        self.optimizer = model.configure_optimizer()

    def fit(self, pixels, digits, batch=50):
        for epoch in range(self.epochs):
            total = 0.0
            for rows in torch.randperm(len(pixels)).split(batch):
                self.optimizer.zero_grad()
                loss = F.cross_entropy(self.model(pixels[rows]), digits[rows])
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(rows)
            print(f"epoch {epoch} loss {total / len(pixels):.4f}")


def main(momentum, epochs):
    torch.manual_seed(5)
    data = load_digits()
    pixels = torch.tensor(data.data, dtype=torch.float32)
    pixels = (pixels - pixels.mean()) / pixels.std()
    model = Reader(momentum)
    trainer = Trainer(model, epochs)
    trainer.fit(pixels, torch.tensor(data.target))
    return model, trainer.optimizer


def sick():
    return main(momentum=0.999, epochs=20)


def well():
    return main(momentum=0.9, epochs=8)


if __name__ == "__main__":
    sick()
