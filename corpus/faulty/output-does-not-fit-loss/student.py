"""A small network learns from a large one; its probabilities go where log_softmax comes next."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

FAULTS = {"output-does-not-fit-loss": "F.kl_div(logarithm, soft, reduction='batchmean')"}


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.second = nn.Linear(64, width), nn.Linear(width, 10)

    def forward(self, x):
        return self.second(F.relu(self.first(x)))

    def probabilities(self, x):
        return self(x).softmax(-1)


def fit(model, x, loss, rate):
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    for _ in range(10):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss(model, rows).backward()
            optimizer.step()
    return model


def teach(called):
    torch.manual_seed(3)
    x, y = map(torch.tensor, load_digits(return_X_y=True))
    x = x.float() / 16
    teacher = fit(Net(128), x[:1000], lambda model, rows: F.cross_entropy(model(x[rows]), y[rows]),
                  0.1)
    teacher.requires_grad_(False)

    def distance(model, rows):
        soft = teacher.probabilities(x[rows])
        logarithm = F.log_softmax(called(model)(x[rows]), dim=-1)
        return F.kl_div(logarithm, soft, reduction='batchmean')

    student = fit(Net(16), x[:1000], distance, 0.05)
    with torch.no_grad():
        print(f"accuracy {(student(x[1000:]).argmax(1) == y[1000:]).float().mean():.3f}")
    return student


def sick():
    return teach(lambda model: model.probabilities)


def well():
    return teach(lambda model: model)
