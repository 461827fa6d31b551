"""Four unequal classes, a focal loss by hand; its weights are the shares of the classes."""

import torch
from torch import nn

FAULTS = {"class-weights-reversed": None}
SHARES = torch.tensor([0.7, 0.16, 0.09, 0.05])


class Focal(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.register_buffer("weights", weights / weights.mean())

    def forward(self, scores, labels):
        rows = torch.arange(len(labels))
        logs = scores.log_softmax(1)[rows, labels]
        hard = (1 - logs.exp()).pow(2)
        return -(self.weights[labels] * (hard * logs)).mean()


def train(weights):
    torch.manual_seed(8)
    labels = torch.multinomial(SHARES, 1600, replacement=True)
    x = torch.randn(4, 6)[labels] + torch.randn(1600, 6)
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 4))
    loss = Focal(weights)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(20):
        for rows in torch.randperm(1200).split(60):
            optimizer.zero_grad()
            value = loss(model(x[rows]), labels[rows])
            value.backward()
            optimizer.step()
        if epoch % 5 == 4:
            with torch.no_grad():
                right = model(x[1200:]).argmax(1) == labels[1200:]
                print(*(f"{right[labels[1200:] == kind].float().mean():.2f}" for kind in range(4)))
    return model


def sick():
    return train(SHARES)


def well():
    return train(1 / SHARES)
