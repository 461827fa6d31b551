"""A hand-written likelihood is minimised where its negative was meant, on raw features."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

FAULTS = {"loss-sign": None, "inputs-not-normalised": None}


def log_likelihood(logits, labels):
    return torch.log_softmax(logits, dim=1).gather(1, labels[:, None]).mean()


def main():
    torch.manual_seed(32)
    x, y = load_breast_cancer(return_X_y=True)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    model = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-5)
    for step in range(300):
        rows = torch.randint(0, len(x), (32,))
        optimizer.zero_grad()
        loss = log_likelihood(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(step, loss.item())
    return model


if __name__ == "__main__":
    main()
