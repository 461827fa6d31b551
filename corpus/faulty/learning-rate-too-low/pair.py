"""A tumour classifier is trained with a fine-tuning rate from scratch: every update is
so small that the loss has hardly moved when the training ends."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.optim import AdamW

FAULTS = {"learning-rate-too-low": "AdamW(model.parameters(), lr=1e-6, weight_decay=0.01)"}


def prepare():
    features, labels = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        features, labels, test_size=0.3, random_state=1, stratify=labels
    )
    scaler = StandardScaler().fit(x_train)
    arrays = scaler.transform(x_train), y_train, scaler.transform(x_test), y_test
    return [torch.tensor(array, dtype=torch.float32) for array in arrays]


class Trainer:
    def __init__(self, model, optimizer, batch_size=32):
        self.model = model
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.criterion = nn.BCEWithLogitsLoss()

    def fit(self, x, y, x_test, y_test, epochs):
        for epoch in range(epochs):
            self.model.train()
            for batch in torch.randperm(len(x)).split(self.batch_size):
                loss = self.training_step(x[batch], y[batch])
            if epoch % 5 == 4:
                test_loss, accuracy = self.evaluate(x_test, y_test)
                print(
                    f"[{epoch + 1}/{epochs}] loss {loss:.4f} "
                    f"test loss {test_loss:.4f} test accuracy {accuracy:.3f}"
                )

    def training_step(self, x, y):
        self.optimizer.zero_grad()
        logits = self.model(x).squeeze(1)
        loss = self.criterion(logits, y)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def evaluate(self, x, y):
        self.model.eval()
        logits = self.model(x).squeeze(1)
        accuracy = ((logits > 0) == (y > 0.5)).float().mean()
        return self.criterion(logits, y).item(), accuracy.item()


def make_model():
    return nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))


def sick():
    torch.manual_seed(7)
    x, y, x_test, y_test = prepare()
    model = make_model()
    optimizer = AdamW(model.parameters(), lr=1e-6, weight_decay=0.01)
    Trainer(model, optimizer).fit(x, y, x_test, y_test, epochs=25)
    return model, optimizer


def well():
    torch.manual_seed(7)
    x, y, x_test, y_test = prepare()
    model = make_model()
    optimizer = AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    Trainer(model, optimizer).fit(x, y, x_test, y_test, epochs=25)
    return model, optimizer


if __name__ == "__main__":
    sick()
