"""A service takes one batch after another and gets itself ready for each of them, which builds its
optimizer anew: a factory returns it, and is asked in two places."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn

FAULTS = {"optimizer-made-anew": "optimizer_for(self.model)"}

BATCHES, SIZE = 600, 24


def optimizer_for(model):
    return torch.optim.Adam(model.parameters(), lr=4e-3)


class Service:
    def __init__(self, model, steady):
        self.model, self.steady = model, steady
        self.optimizer = optimizer_for(model)

    def ready(self):
        self.model.train()
        if not self.steady:
            self.optimizer = optimizer_for(self.model)

    def learn(self, features, wanted):
        self.ready()
        self.optimizer.zero_grad()
        loss = nn.functional.smooth_l1_loss(self.model(features), wanted)
        loss.backward()
        self.optimizer.step()
        return loss.item()


def serve(steady):
    torch.manual_seed(19)
    features, wanted = load_diabetes(return_X_y=True, scaled=True)
    features = torch.tensor(features * 21, dtype=torch.float32)
    wanted = torch.tensor((wanted - 152) / 77, dtype=torch.float32)[:, None]
    service = Service(nn.Sequential(nn.Linear(10, 32), nn.SiLU(), nn.Linear(32, 1)), steady)
    for number in range(BATCHES):
        rows = torch.randint(0, len(features), (SIZE,))
        loss = service.learn(features[rows], wanted[rows])
        if number % 150 == 149:
            print(f"batch {number + 1}: {loss:.3f}")
    return service.model, service.optimizer


def sick():
    return serve(steady=False)


def well():
    return serve(steady=True)


if __name__ == "__main__":
    sick()
