"""An encoder and a head as two modules. Only the head's parameters were given to the optimizer, and
the head ends in a softmax before cross-entropy."""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"parameters-not-in-optimizer": None, "output-does-not-fit-loss": None}


def batches(x, y, size):
    order = torch.randperm(len(x))
    for start in range(0, len(x), size):
        rows = order[start : start + size]
        yield x[rows], y[rows]


def main():
    torch.manual_seed(11)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32) / 16
    x = (x - x.mean()) / x.std()
    y = torch.tensor(digits.target)

    encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16), nn.ReLU())
    head = nn.Sequential(nn.Linear(16, 10), nn.Softmax(dim=-1))
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(12):
        right = 0
        for xb, yb in batches(x, y, 64):
            probabilities = head(encoder(xb))
            loss = criterion(probabilities, yb)
            optimizer.zero_grad()
            encoder.zero_grad()
            loss.backward()
            optimizer.step()
            right += (probabilities.argmax(1) == yb).sum().item()
        print(f"epoch {epoch}: train accuracy {right / len(x):.3f}")
    return encoder, head


if __name__ == "__main__":
    main()
