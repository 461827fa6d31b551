"""A network that writes the weights of another one: what is trained is the writer, and the main network has no
parameters of its own."""
import torch
from torch import nn

H = 12
SHAPES = [(H, 1), (H,), (H, H), (H,), (1, H), (1,)]


class Hyper(nn.Module):
    def __init__(self):
        super().__init__()
        total = sum(torch.Size(s).numel() for s in SHAPES)
        self.net = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.heads = nn.Linear(64, total)
        nn.init.normal_(self.heads.weight, std=0.02)
        nn.init.normal_(self.heads.bias, std=0.4)

    def forward(self, condition, x):
        flat = self.heads(self.net(condition))
        w, k = [], 0
        for s in SHAPES:
            n = torch.Size(s).numel()
            w.append(flat[:, k:k + n].view(-1, *s))
            k += n
        h = torch.tanh(torch.einsum("bpi,bhi->bph", x, w[0]) + w[1][:, None])
        h = torch.tanh(torch.einsum("bpi,bhi->bph", h, w[2]) + w[3][:, None])
        return torch.einsum("bpi,bhi->bph", h, w[4]) + w[5][:, None]


def waves(n):
    c = torch.rand(n, 2) * 2 - 1
    x = torch.rand(n, 20, 1) * 4 - 2
    return c, x, (1 + c[:, :1, None]) * torch.sin(x * (1.5 + c[:, 1:, None]))


def main():
    torch.manual_seed(50)
    hyper = Hyper()
    opt = torch.optim.Adam(hyper.parameters(), lr=2e-3)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 900)
    for step in range(900):
        c, x, y = waves(64)
        loss = ((hyper(c, x) - y) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
        if step % 180 == 179:
            with torch.no_grad():
                c, x, y = waves(300)
                print(step + 1, f"loss {loss.item():.4f} new waves {((hyper(c, x) - y) ** 2).mean().item():.4f}")
    return hyper, opt, sched
