"""A deep equilibrium model: one layer is iterated to a fixed point, and backward goes through the last
iterations only."""
import torch
from sklearn.datasets import load_wine
from torch import nn


class Equilibrium(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inject = nn.Linear(13, width)
        self.cell = nn.utils.parametrizations.spectral_norm(nn.Linear(width, width))
        self.read = nn.Linear(width, 3)

    def forward(self, x):
        u = self.inject(x)
        z = torch.zeros_like(u)
        with torch.no_grad():
            for _ in range(20):
                z = torch.tanh(0.9 * self.cell(z) + u)
        for _ in range(3):
            z = torch.tanh(0.9 * self.cell(z) + u)
        return self.read(z)


def main():
    torch.manual_seed(2)
    x, y = (torch.tensor(part) for part in load_wine(return_X_y=True))
    x = x.float()
    order = torch.randperm(len(y))
    x, y = x[order], y[order]
    x = (x - x[:130].mean(0)) / x[:130].std(0)
    model = Equilibrium(24)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(25):
        model.train()
        for rows in torch.randperm(130).split(26):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            held_out = nn.functional.cross_entropy(model(x[130:]), y[130:])
        print(f"epoch {epoch} loss {loss.item():.3f} test {held_out.item():.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
