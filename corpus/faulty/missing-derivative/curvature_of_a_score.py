"""Score matching with random directions: the curvature has no graph, and only the size of the score is
made small.
"""

import torch
from torch import nn

FAULTS = {
    "missing-derivative":
        "torch.autograd.grad((score * way).sum(), x, retain_graph=True, create_graph=graph)"}


def matching(model, x, graph):
    x = x.clone().requires_grad_(True)
    score = model(x)
    bends = 0.0
    for _ in range(2):
        way = torch.randint(0, 2, x.shape).to(x.dtype) * 2 - 1
        slope, = torch.autograd.grad((score * way).sum(), x, retain_graph=True, create_graph=graph)
        bends = bends + (slope * way).sum(1) / 2
    return (score.pow(2).sum(1) / 2 + bends).mean()


def train(graph):
    torch.manual_seed(3)
    x = torch.randn(3000, 2) * torch.tensor([1.5, 0.5]) + torch.tensor([0.5, -0.5])
    model = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(),
                          nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(20):
        for rows in torch.randperm(len(x)).split(100):
            loss = matching(model, x[rows], graph)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(graph=False)


def well():
    return train(graph=True)


if __name__ == "__main__":
    sick()
