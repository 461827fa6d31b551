"""A damped oscillator whose motion is a network of hard tanhs of time."""
import torch
from torch import nn

FAULTS = {"missing-derivative": "nn.Hardtanh()"}


class Motion(nn.Module):
    def __init__(self, bent):
        super().__init__()
        self.enter = nn.Linear(1, 48)
        self.bend = nn.Hardtanh()
        if bent:
            self.bend = nn.Tanh()
        self.middle = nn.Linear(48, 48)
        self.leave = nn.Linear(48, 1)

    def forward(self, t):
        return self.leave(self.bend(self.middle(self.bend(self.enter(t)))))


def train(bent, damping=0.4, stiffness=4.0):
    torch.manual_seed(1)
    motion = Motion(bent)
    optimizer = torch.optim.Adam(motion.parameters(), lr=3e-3)
    start = torch.zeros(1, 1, requires_grad=True)
    for step in range(500):
        t = torch.rand(80, 1).mul(3).requires_grad_()
        place = motion(t)
        speed = torch.autograd.grad(place.sum(), t, create_graph=True)[0]
        force = torch.autograd.grad(speed.sum(), t, create_graph=True)[0]
        first = motion(start)
        push = torch.autograd.grad(first.sum(), start, create_graph=True)[0]
        loss = ((force + damping * speed + stiffness * place) ** 2).mean()
        loss = loss + 20 * (first - 1).square().sum() + 5 * push.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(step, round(loss.item(), 4))
    return motion, optimizer


def sick():
    return train(bent=False)


def well():
    return train(bent=True)


if __name__ == "__main__":
    sick()
