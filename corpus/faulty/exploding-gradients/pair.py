"""A recurrent network of rectified units remembers by an identity matrix; over sixty time
steps its gradient grows a thousandfold as soon as that matrix does, and nothing holds it."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"exploding-gradients": "loss.backward()"}

LENGTH = 60


def random_walks(count):
    moves = torch.randn(count, LENGTH, 1)
    return moves, moves.sum(dim=(1, 2)) / LENGTH**0.5


class Odometer(nn.Module):
    def __init__(self):
        super().__init__()
        self.memory = nn.RNN(1, 32, nonlinearity="relu", batch_first=True)
        self.answer = nn.Linear(32, 1)
        nn.init.eye_(self.memory.weight_hh_l0)
        nn.init.normal_(self.memory.weight_ih_l0, std=0.1)
        nn.init.zeros_(self.memory.bias_hh_l0)
        nn.init.zeros_(self.memory.bias_ih_l0)

    def forward(self, moves):
        _, last = self.memory(moves)
        return self.answer(last[0])[:, 0]


def check(model, held_out, step, loss):
    moves, position = held_out
    with torch.no_grad():
        error = F.mse_loss(model(moves), position).item()
    print(f"step {step}: batch {loss:.4g}, held out {error:.4g}")


def sick():
    torch.manual_seed(4)
    held_out = random_walks(300)
    model = Odometer()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9)
    for step in range(1, 301):
        moves, position = random_walks(32)
        loss = F.mse_loss(model(moves), position)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            check(model, held_out, step, loss.item())
    return model, optimizer


def well():
    torch.manual_seed(4)
    held_out = random_walks(300)
    model = Odometer()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9)
    for step in range(1, 301):
        moves, position = random_walks(32)
        loss = F.mse_loss(model(moves), position)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0:
            check(model, held_out, step, loss.item())
    return model, optimizer


if __name__ == "__main__":
    sick()
