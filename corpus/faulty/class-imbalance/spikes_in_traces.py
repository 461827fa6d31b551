"""Spikes in noisy traces: a convolutional network says for each time step whether one begins."""

import torch
import torch.nn.functional as F
from torch import nn

FAULTS = {"class-imbalance": "F.binary_cross_entropy_with_logits(answers(net, traces[rows]), "
                             "begins[rows], pos_weight=weight)"}

FORM = torch.tensor([0.5, 1.4, 1.0, 0.3, -0.5, -0.8])


def recorded(count, steps=80):
    begins = (torch.rand(count, steps) < 0.025).float()
    traces = torch.randn(count, steps + len(FORM))
    for late, height in enumerate(FORM):
        traces[:, late:late + steps] += height * begins
    return traces[:, None, :steps], begins


def answers(net, traces):
    return net(traces)[:, 0]


def train(weight):
    torch.manual_seed(11)
    traces, begins = recorded(500)
    net = nn.Sequential(nn.Conv1d(1, 12, 9, padding=4), nn.ReLU(), nn.Conv1d(12, 12, 9, padding=4),
                        nn.ReLU(), nn.Conv1d(12, 1, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(16):
        for rows in torch.randperm(400).split(20):
            loss = F.binary_cross_entropy_with_logits(answers(net, traces[rows]), begins[rows], pos_weight=weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            told = answers(net, traces[400:]) > 0
            found = told[begins[400:] > 0].float().mean()
        print(epoch, f"{loss:.3f} {found:.3f}")
    return net


def sick():
    return train(None)


def well():
    return train(torch.tensor(30.0))


if __name__ == "__main__":
    sick()
