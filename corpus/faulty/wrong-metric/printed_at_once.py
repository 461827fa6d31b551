"""The score is printed as it is computed: a column of answers compared with a row of labels."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

FAULTS = {"wrong-metric": "torch.round(answers) == labels"}


def evaluate(model, inputs, labels):
    model.eval()
    with torch.no_grad():
        answers = torch.sigmoid(model(inputs))
        return (torch.round(answers) == labels).float().mean().item()


def train(column):
    torch.manual_seed(6)
    x, y = load_breast_cancer(return_X_y=True)
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    y = torch.tensor(y, dtype=torch.float32)
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    model = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        model.train()
        for rows in torch.randperm(400).split(25):
            logits = model(x[rows]).squeeze(1)
            loss = nn.functional.binary_cross_entropy_with_logits(logits, y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        labels = y[400:, None] if column else y[400:]
        print(epoch, f"{loss.item():.4f}", f"{evaluate(model, x[400:], labels):.3f}")
    return model, optimizer


def sick():
    return train(column=False)


def well():
    return train(column=True)


if __name__ == "__main__":
    sick()
