"""L-BFGS with a strong Wolfe line search on the whole of a small set; a step calls its closure many times."""
import torch
from torch import nn


def main():
    torch.manual_seed(5)
    x = torch.linspace(-3, 3, 200).unsqueeze(1)
    y = torch.sin(2 * x) * torch.exp(-x.abs() / 2)
    test = torch.rand(100, 1) * 6 - 3
    net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
    optimizer = torch.optim.LBFGS(net.parameters(), lr=1, max_iter=10, history_size=20, line_search_fn="strong_wolfe")
    criterion = nn.MSELoss()

    def closure():
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        return loss

    for i in range(40):
        loss = optimizer.step(closure)
        if i % 8 == 7:
            with torch.no_grad():
                e = (net(test) - torch.sin(2 * test) * torch.exp(-test.abs() / 2)).pow(2).mean().item()
            print(f"step {i + 1} loss {loss.item():.6f} test {e:.6f}")
    return net, optimizer
