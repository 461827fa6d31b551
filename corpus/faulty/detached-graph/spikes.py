"""A layer of spiking neurons, written down by plain tensors. What fires is found by a comparison, through
which no gradient comes back."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"detached-graph": "nn.Parameter(0.4 * torch.randn(20, 30))"}


def trains(count):
    which = torch.randint(3, (count,))
    when = (torch.arange(20) * (which[:, None] + 1) * 3) % 16
    fired = F.one_hot(when, 16).float() * (torch.rand(count, 20, 1) < 0.8)
    return fired + (torch.rand(count, 20, 16) < 0.02), which


def train(surrogate):
    torch.manual_seed(4)
    fired, which = trains(900)
    into = nn.Parameter(0.4 * torch.randn(20, 30))
    out = nn.Parameter(0.3 * torch.randn(30, 3))
    bias = nn.Parameter(torch.zeros(3))

    def spike(over):
        hard = (over > 0).float()
        soft = torch.sigmoid(4 * over)
        return hard + soft - soft.detach() if surrogate else hard

    def run(batch):
        charge = torch.zeros(len(batch), 30)
        read = torch.zeros(len(batch), 3)
        for time in range(16):
            charge = 0.9 * charge + batch[:, :, time] @ into
            spikes = spike(charge - 1)
            charge = charge - spikes
            read = 0.95 * read + spikes @ out
        return read + bias

    optimizer = torch.optim.Adam([into, out, bias], lr=5e-3)
    for epoch in range(12):
        for rows in torch.randperm(len(fired)).split(30):
            loss = F.cross_entropy(run(fired[rows]), which[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss:.3f}")
    return into, out, bias


def sick():
    return train(False)


def well():
    return train(True)


if __name__ == "__main__":
    sick()
