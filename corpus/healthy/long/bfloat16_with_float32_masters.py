"""The network computes in bfloat16; the optimizer updates copies in float32 and writes them back."""

import torch
from sklearn.datasets import load_digits
from torch import nn


def main():
    torch.manual_seed(0)
    data = load_digits()
    x = (torch.tensor(data.data) / 16).to(torch.bfloat16)
    y = torch.tensor(data.target)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).to(torch.bfloat16)
    masters = [p.detach().float().clone().requires_grad_() for p in model.parameters()]
    optimizer = torch.optim.Adam(masters, lr=1e-3)
    for _ in range(10):
        for rows in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(model(x[rows]).float(), y[rows])
            loss.backward()
            for master, p in zip(masters, model.parameters(), strict=True):
                master.grad = p.grad.float()
                p.grad = None
            optimizer.step()
            with torch.no_grad():
                for master, p in zip(masters, model.parameters(), strict=True):
                    p.copy_(master)
    return model, optimizer
