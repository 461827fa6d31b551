"""How long a candle burns. The rate is multiplied by 0.995 at every one of 1,500 updates, by
hand: a two-thousandth of it is left in the end, and by then all is learned."""

import torch
import torch.nn as nn


class Burning(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.a = nn.Linear(4, hidden)
        self.b = nn.Linear(hidden, hidden)
        self.c = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x))))).flatten()


def candles(count):
    thick, tall, draught, wick = torch.randn(4, count)
    hours = tall * (1 + 0.5 * thick) - draught.abs() + 0.3 * wick + 0.1 * torch.randn(count)
    return torch.stack([thick, tall, draught, wick]).T, hours


def main():
    torch.manual_seed(11)
    (x, hours), (x_new, hours_new) = candles(3000), candles(800)
    model = Burning()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for update in range(1500):
        rows = torch.randint(len(x), (64,))
        loss = (model(x[rows]) - hours[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] *= 0.995
        if update % 250 == 249:
            with torch.no_grad():
                r2 = 1 - (model(x_new) - hours_new).square().mean() / hours_new.var()
            print(f"{update + 1:5d} {loss.item():.4f} R2 {r2.item():.4f}")
    return model, optimizer


if __name__ == "__main__":
    main()
