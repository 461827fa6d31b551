"""One body tells two properties of a sensor's signal. The pressure is in hectopascals and its error a hundred
thousand times as large as the entropy of the kind."""

import torch
import torch.nn as nn

FAULTS = {"loss-terms-out-of-balance": "kind_loss + self.pressure_loss(pressure, batch[2].unsqueeze(1))"}


class Trainer:
    def __init__(self, rate):
        self.kind_loss, self.pressure_loss = nn.CrossEntropyLoss(), nn.MSELoss()
        self.body = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU())
        self.kind, self.pressure = nn.Linear(32, 5), nn.Linear(32, 1)
        self.net = nn.ModuleList([self.body, self.kind, self.pressure])
        self.opt = torch.optim.SGD(self.net.parameters(), lr=rate, momentum=0.9)

    def step(self, batch):
        h = self.body(batch[0])
        kind, pressure = self.kind(h), self.pressure(h)
        kind_loss = self.kind_loss(kind, batch[1])
        loss = kind_loss + self.pressure_loss(pressure, batch[2].unsqueeze(1))
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return loss.item(), (kind.argmax(1) == batch[1]).float().mean().item()


def main(unit, rate):
    torch.manual_seed(11)
    x = torch.randn(1200, 16)
    kinds = (x @ torch.randn(16, 5)).argmax(1)
    pressure = (400 * torch.tanh(x[:, 0] + 0.5 * x[:, 1]) + 20 * torch.randn(1200)) / unit
    trainer = Trainer(rate)
    for epoch in range(18):
        order = torch.randperm(1200)
        for i in range(0, 1200, 40):
            rows = order[i:i + 40]
            loss, right = trainer.step((x[rows], kinds[rows], pressure[rows]))
        print(f"epoch {epoch}: loss {loss:.1f}, kinds right {right:.2f}")
    return trainer.net, trainer.opt


def sick():
    return main(unit=1, rate=6e-6)


def well():
    return main(unit=300, rate=2e-2)


if __name__ == "__main__":
    sick()
