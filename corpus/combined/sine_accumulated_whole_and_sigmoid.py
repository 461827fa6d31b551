"""Eight batches are summed for one step without dividing by eight, and a sigmoid ends a network
whose targets swing between -2 and 2."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"accumulation-not-averaged": None, "wrong-output-activation": None}

ACCUMULATE = 8


class Wave(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.outer = nn.Linear(64, 1)

    def forward(self, x):
        return torch.sigmoid(self.outer(self.inner(x)))


def main():
    torch.manual_seed(40)
    x = torch.rand(1024, 1) * 4 - 2
    y = 2 * torch.sin(2 * x) + 0.1 * torch.randn_like(x)
    loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
    model = Wave()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.MSELoss()
    for epoch in range(30):
        optimizer.zero_grad()
        for index, (xb, yb) in enumerate(loader):
            loss = criterion(model(xb), yb)
            loss.backward()
            if (index + 1) % ACCUMULATE == 0:
                optimizer.step()
                optimizer.zero_grad()
        if epoch % 5 == 0:
            print(f"epoch {epoch}: {loss.item():.3f}")
    return model


if __name__ == "__main__":
    main()
