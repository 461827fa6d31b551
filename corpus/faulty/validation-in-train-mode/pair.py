"""The held-out samples are judged with dropout still switched on, so the printed score is
the score of a network that misses a different half of its units every time."""

import torch
from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn

FAULTS = {"validation-in-train-mode": "model(x_val)"}


def as_tensor(array):
    return torch.as_tensor(array, dtype=torch.float32)


def load():
    x, y = make_friedman1(n_samples=2000, n_features=5, noise=0.5, random_state=8)
    x_train, x_val, y_train, y_val = train_test_split(x, y[:, None], random_state=5)
    inputs = make_pipeline(StandardScaler(), FunctionTransformer(as_tensor)).fit(x_train)
    targets = make_pipeline(StandardScaler(), FunctionTransformer(as_tensor)).fit(y_train)
    train = inputs.transform(x_train), targets.transform(y_train)
    return *train, inputs.transform(x_val), targets.transform(y_val)


class WideNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(5, 128)
        self.fc2 = nn.Linear(128, 128)
        self.drop = nn.Dropout(p=0.5)
        self.out = nn.Linear(128, 1)

    def forward(self, x):
        x = self.fc1(x).relu()
        x = self.drop(self.fc2(x).relu())
        return self.out(x)


def training_epoch(model, x, y, loss_fn, optimizer):
    model.train()
    for rows in torch.randperm(len(x)).split(50):
        loss = loss_fn(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def sick():
    torch.manual_seed(26)
    x, y, x_val, y_val = load()
    model, loss_fn = WideNet(), nn.MSELoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for epoch in range(16):
        loss = training_epoch(model, x, y, loss_fn, optimizer)
        with torch.no_grad():
            error = loss_fn(model(x_val), y_val).item()
        if epoch % 2 == 1:
            print(f"epoch {epoch + 1}: batch {loss:.4f} val {error:.4f}")
    return model, optimizer


def well():
    torch.manual_seed(26)
    x, y, x_val, y_val = load()
    model, loss_fn = WideNet(), nn.MSELoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for epoch in range(16):
        loss = training_epoch(model, x, y, loss_fn, optimizer)
        model.eval()
        with torch.no_grad():
            error = loss_fn(model(x_val), y_val).item()
        if epoch % 2 == 1:
            print(f"epoch {epoch + 1}: batch {loss:.4f} val {error:.4f}")
    return model, optimizer


if __name__ == "__main__":
    sick()
