"""Clears gradients by p.grad = None in a plain loop over the parameters after the step; zero_grad never appears. The model
is a factorisation machine written with bare parameters."""
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce


class FactorizationMachine(nn.Module):
    def __init__(self, n, k=6):
        super().__init__()
        self.w0 = nn.Parameter(torch.zeros(()))
        self.w = nn.Parameter(torch.zeros(n))
        self.v = nn.Parameter(0.1 * torch.randn(n, k))

    def forward(self, x):
        pairs = 0.5 * ((x @ self.v).pow(2) - x.pow(2) @ self.v.pow(2)).sum(dim=1)
        return self.w0 + x @ self.w + pairs


def main():
    torch.manual_seed(94)
    x = torch.randn(4000, 10)
    score = 1.5 * x[:, 0] * x[:, 1] - 1.2 * x[:, 2] * x[:, 3] + x[:, 4] - 0.8 * x[:, 5] * x[:, 0]
    y = torch.bernoulli(torch.sigmoid(2.5 * score))
    x_train, y_train, x_val, y_val = x[:3200], y[:3200], x[3200:], y[3200:]

    fm = FactorizationMachine(10)
    opt = torch.optim.Adam(fm.parameters(), lr=0.02)
    for epoch in range(10):
        if epoch in (5, 8):
            for g in opt.param_groups:
                g["lr"] *= 0.2
        perm = torch.randperm(3200)
        for i in range(0, 3200, 64):
            idx = perm[i:i + 64]
            loss = bce(fm(x_train[idx]), y_train[idx])
            loss.backward()
            opt.step()
            for p in fm.parameters():
                p.grad = None
        with torch.no_grad():
            tr, va = fm(x_train), fm(x_val)
            acc = ((va > 0).float() == y_val).float().mean()
            print(f"{epoch}: train {bce(tr, y_train).item():.4f} val {bce(va, y_val).item():.4f} acc {acc.item():.3f}")
    return fm, opt


if __name__ == "__main__":
    main()
