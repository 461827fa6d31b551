"""Disease progression between 25 and 346 as it stands, predicted by an encoder that no optimizer
holds and a head that one does."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn, optim

FAULTS = {"targets-not-normalised": None, "parameters-not-in-optimizer": None}


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(10, 64)
        self.b = nn.Linear(64, 32)

    def forward(self, x):
        return torch.tanh(self.b(torch.tanh(self.a(x))))


def fit(encoder, head, x, y):
    optimizer = optim.Adam(head.parameters(), lr=1e-3)
    loss_function = nn.MSELoss()
    history = []
    for _ in range(30):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_function(head(encoder(x[rows])), y[rows])
            loss.backward()
            encoder.zero_grad()
            optimizer.step()
            history.append(loss.item())
    return history


def main():
    torch.manual_seed(21)
    x, y = load_diabetes(return_X_y=True, scaled=False)
    x = torch.tensor(x, dtype=torch.float32)
    x = (x - x.mean(0)) / x.std(0)
    y = torch.tensor(y, dtype=torch.float32).unsqueeze(1)
    encoder, head = Encoder(), nn.Linear(32, 1)
    history = fit(encoder, head, x, y)
    for start in range(0, len(history), 70):
        print(start, round(sum(history[start : start + 14]) / 14, 1))
    return encoder, head


if __name__ == "__main__":
    main()
