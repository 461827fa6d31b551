"""A body and a head are two modules. Before the score of each class only the head is put into eval
mode, and the body normalises a batch of one class by that class.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"validation-in-train-mode": "body(x[y == digit])"}


def recalls(body, head, x, y, parts):
    for part in parts:
        part.eval()
    found = []
    with torch.no_grad():
        for digit in range(10):
            told = head(body(x[y == digit])).argmax(1)
            found.append((told == digit).float().mean().item())
    for part in parts:
        part.train()
    return found


def train(both):
    torch.manual_seed(8)
    pixels, digits = load_digits(return_X_y=True)
    x, y = torch.tensor(pixels / 8 - 1).float(), torch.tensor(digits)
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    body = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU())
    head = nn.Sequential(nn.Dropout(0.2), nn.Linear(64, 10))
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=2e-3)
    for epoch in range(12):
        for rows in torch.randperm(1400).split(50):
            loss = nn.functional.cross_entropy(head(body(x[rows])), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found = recalls(body, head, x[1400:], y[1400:], (body, head) if both else (head,))
        print(f"{epoch} loss {loss.item():.3f} recall {sum(found) / 10:.3f}")
    return body, head


def sick():
    return train(both=False)


def well():
    return train(both=True)


if __name__ == "__main__":
    sick()
