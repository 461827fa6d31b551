"""The logistic loss of a margin by hand, log(1 + exp(-label * score)), with a label of 0 or 1."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

FAULTS = {"labels-out-of-range": "-label * score"}


class Machine(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(30, 16), nn.Linear(16, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.hidden(x))).squeeze(-1)


def logistic(score, label):
    return torch.log1p(torch.exp(-label * score)).mean()


def train(labels_of):
    torch.manual_seed(4)
    table, benign = load_breast_cancer(return_X_y=True)
    x = torch.tensor(table, dtype=torch.float32)
    x = (x - x.mean(0)) / x.std(0)
    labels = labels_of(torch.tensor(benign, dtype=torch.float32))
    order = torch.randperm(len(x))
    x, labels = x[order], labels[order]
    machine = Machine()
    optimizer = torch.optim.Adam(machine.parameters(), lr=2e-3)
    for epoch in range(20):
        for rows in torch.randperm(450).split(30):
            loss = logistic(machine(x[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            right = (machine(x[450:]) > 0) == (labels[450:] > 0)
        print(f"epoch {epoch} loss {loss.item():.3f} right {right.float().mean().item():.2f}")
    return machine


def sick():
    return train(lambda benign: benign)


def well():
    return train(lambda benign: 2 * benign - 1)


if __name__ == "__main__":
    sick()
