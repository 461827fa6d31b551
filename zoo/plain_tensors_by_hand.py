"""Trains plain tensors in place of a module's parameters, by backward and an update by hand; an
optimizer exists only for the temperature that is fitted to them afterwards."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from torch import nn
from torch.func import functional_call


def main():
    torch.manual_seed(43)
    data, labels = load_wine(return_X_y=True)
    x = torch.tensor((data - data.mean(0)) / data.std(0), dtype=torch.float32)
    y = torch.tensor(labels)
    shuffle = torch.randperm(len(x))
    x, y = x[shuffle], y[shuffle]
    net = nn.Sequential(nn.Linear(13, 16), nn.Tanh(), nn.Linear(16, 3))
    weights = {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}
    for step in range(240):
        rows = torch.randint(130, (26,))
        loss = F.cross_entropy(functional_call(net, weights, (x[rows],)), y[rows])
        loss.backward()
        with torch.no_grad():
            for weight in weights.values():
                weight -= 0.2 * weight.grad
                weight.grad = None
        if step % 40 == 39:
            with torch.no_grad():
                scores = functional_call(net, weights, (x[130:],))
            print(step, f"{loss:.4f} {F.cross_entropy(scores, y[130:]):.4f}")
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(weights[name])
        scores = net(x)
    temperature = nn.Parameter(torch.ones(()))
    optimizer = torch.optim.Adam([temperature], lr=0.02)
    for _ in range(30):
        loss = F.cross_entropy(scores / temperature, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"temperature {temperature.item():.3f}")
    return net


if __name__ == "__main__":
    main()
