"""The training set lies sorted by digit and the loader reads it in that order: for whole
stretches the network sees one digit only, and forgets the ones before."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"not-shuffled": "DataLoader(train_set, batch_size=32)"}


def collect():
    pixels, digit = load_digits(return_X_y=True)
    parts = train_test_split(pixels / 16 - 0.3, digit, test_size=0.2, random_state=6)
    x_train, x_val, y_train, y_val = (torch.as_tensor(part) for part in parts)
    by_digit = y_train.argsort(stable=True)
    train_set = TensorDataset(x_train[by_digit].float(), y_train[by_digit])
    return train_set, TensorDataset(x_val.float(), y_val)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 48), nn.ReLU())
        self.head = nn.Linear(48, 10)

    def forward(self, x):
        return self.head(self.body(x))


def step(model, batch, loss_fn, optimizer=None):
    x, y = batch
    logits = model(x)
    loss = loss_fn(logits, y)
    if optimizer is not None:
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return loss.item(), (logits.argmax(-1) == y).sum().item()


def fit(train_loader, val_set, epochs=8):
    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_fn = nn.CrossEntropyLoss()
    val_loader = DataLoader(val_set, batch_size=len(val_set))
    for epoch in range(epochs):
        model.train()
        losses = [step(model, batch, loss_fn, optimizer)[0] for batch in train_loader]
        model.eval()
        with torch.no_grad():
            results = [step(model, batch, loss_fn) for batch in val_loader]
        val_loss, correct = results[0]
        mean = sum(losses) / len(losses)
        print(f"{epoch=} loss={mean:.3f} {val_loss=:.3f} accuracy={correct / len(val_set):.3f}")
    return model, optimizer


def sick():
    torch.manual_seed(13)
    train_set, val_set = collect()
    train_loader = DataLoader(train_set, batch_size=32)
    return fit(train_loader, val_set)


def well():
    torch.manual_seed(13)
    train_set, val_set = collect()
    train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
    return fit(train_loader, val_set)


if __name__ == "__main__":
    sick()
