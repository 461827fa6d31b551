"""Which way does a noisy number drift? A GRU with the time steps first is read at its first step."""
import torch
from torch import nn

FAULTS = {"detached-graph": "states[0]"}


class Drift(nn.Module):
    def __init__(self, last):
        super().__init__()
        self.last = last
        self.memory = nn.GRU(1, 24)
        self.answer = nn.Linear(24, 3)

    def forward(self, walks):
        states, _ = self.memory(walks.unsqueeze(-1))
        if self.last:
            return self.answer(states[-1])
        return self.answer(states[0])


def walks(count, generator):
    """Of shape (20, count): up, down or level, with as much noise in each step."""
    kinds = torch.randint(0, 3, (count,), generator=generator)
    steps = 0.2 * (kinds - 1.0) + 0.3 * torch.randn(20, count, generator=generator)
    return steps.cumsum(0), kinds


def run(last):
    torch.manual_seed(4)
    generator = torch.Generator().manual_seed(4)
    train, kinds = walks(900, generator)
    test, test_kinds = walks(300, generator)
    net = Drift(last)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(14):
        for rows in torch.randperm(900, generator=generator).split(50):
            loss = nn.functional.cross_entropy(net(train[:, rows]), kinds[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (net(test).argmax(1) == test_kinds).float().mean().item()
        print(f"epoch {epoch:2d}  loss {loss.item():.3f}  accuracy {accuracy:.3f}")
    return net, optimizer


def sick():
    return run(last=False)


def well():
    return run(last=True)


if __name__ == "__main__":
    sick()
