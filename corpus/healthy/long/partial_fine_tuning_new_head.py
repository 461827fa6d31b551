"""Fine-tuning with a new head of another size: the old head is taken out of the checkpoint, and strict=False
lets the new one be. The body learns with a small rate."""
import io

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, classes))

    def forward(self, x):
        return self.head(self.body(x))


def epochs(model, optimizer, x, y, number, size):
    for _ in range(number):
        for rows in torch.randperm(len(y)).split(size):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(f"loss {loss.item():.4f}")


def main():
    torch.manual_seed(23)
    x, y = (torch.tensor(part) for part in load_digits(return_X_y=True))
    x = x.float() / 8 - 1
    old = Net(10)
    epochs(old, torch.optim.Adam(old.parameters(), 2e-3), x[:900], y[:900], 10, 30)
    buffer = io.BytesIO()
    torch.save(old.state_dict(), buffer)
    buffer.seek(0)
    state = torch.load(buffer)
    state = {key: value for key, value in state.items() if not key.startswith("head.")}
    new = Net(2)
    new.load_state_dict(state, strict=False)
    optimizer = torch.optim.Adam([
        {"params": new.body.parameters(), "lr": 1e-4}, {"params": new.head.parameters(), "lr": 3e-3}])
    epochs(new, optimizer, x[900:1300], y[900:1300] % 2, 15, 20)
    with torch.no_grad():
        print((new(x[1300:]).argmax(1) == y[1300:] % 2).float().mean().item())
    return new, optimizer


if __name__ == "__main__":
    main()
