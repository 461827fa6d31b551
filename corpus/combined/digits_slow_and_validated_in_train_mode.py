"""A rate of one millionth for SGD, and a validation that forgets eval() while dropout and batch
norm are at work."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

FAULTS = {"learning-rate-too-low": None, "validation-in-train-mode": None}


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        self.criterion = nn.CrossEntropyLoss()

    def training_epoch(self, x, y):
        self.model.train()
        for rows in torch.randperm(len(x)).split(48):
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x[rows]), y[rows])
            loss.backward()
            self.optimizer.step()

    @torch.no_grad()
    def validation_epoch(self, x, y):
        hits, total = 0, 0.0
        for rows in torch.arange(len(x)).split(60):
            logits = self.model(x[rows])
            total += self.criterion(logits, y[rows]).item() * len(rows)
            hits += (logits.argmax(1) == y[rows]).sum().item()
        return total / len(x), hits / len(x)

    def fit(self, train, validation, epochs):
        for epoch in range(epochs):
            self.training_epoch(*train)
            loss, accuracy = self.validation_epoch(*validation)
            print(f"epoch {epoch}: {loss:.3f} {accuracy:.3f}")


def main():
    torch.manual_seed(42)
    x, y = load_digits(return_X_y=True)
    x = (x - x.mean()) / x.std()
    parts = train_test_split(x, y, test_size=0.2, random_state=1)
    x_train, x_val = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
    y_train, y_val = (torch.tensor(part) for part in parts[2:])
    model = nn.Sequential(
        nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10)
    )
    Trainer(model, lr=1e-6).fit((x_train, y_train), (x_val, y_val), epochs=12)
    return model


if __name__ == "__main__":
    main()
