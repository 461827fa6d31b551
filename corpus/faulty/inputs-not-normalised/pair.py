"""Wines are told apart by thirteen measurements in their own units: an acidity of 0.3
sits beside a proline content of 750, and the network is fed the table as it is."""

import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

FAULTS = {"inputs-not-normalised": "torch.from_numpy(table)"}


def load():
    table, cultivar = load_wine(return_X_y=True)
    x = torch.from_numpy(table).float()
    y = torch.from_numpy(cultivar)
    train, test = train_test_split(torch.arange(len(x)), test_size=0.3, random_state=3, stratify=y)
    return x[train], y[train], x[test], y[test]


def run(inputs, labels, test_inputs, test_labels):
    model = nn.Sequential(
        nn.Linear(13, 32),
        nn.ReLU(),
        nn.Linear(32, 16),
        nn.ReLU(),
        nn.Linear(16, 3),
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)

    for epoch in range(40):
        order = torch.randperm(len(inputs))
        running = 0.0
        for start in range(0, len(inputs), 16):
            picked = order[start : start + 16]
            x, y = inputs[picked], labels[picked]
            outputs = model(x)
            loss = criterion(outputs, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item() * len(picked)

        if epoch % 8 == 7:
            with torch.no_grad():
                predicted = model(test_inputs).argmax(1)
            accuracy = (predicted == test_labels).float().mean().item()
            mean_loss = running / len(inputs)
            print(f"epoch {epoch + 1}: loss={mean_loss:.4g} test_acc={accuracy:.2f}")
    return model, optimizer


def sick():
    torch.manual_seed(42)
    x_train, y_train, x_test, y_test = load()
    return run(x_train, y_train, x_test, y_test)


def well():
    torch.manual_seed(42)
    x_train, y_train, x_test, y_test = load()
    mean, std = x_train.mean(0), x_train.std(0)
    return run((x_train - mean) / std, y_train, (x_test - mean) / std, y_test)


if __name__ == "__main__":
    sick()
