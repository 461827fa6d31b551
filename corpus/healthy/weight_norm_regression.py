"""Regression of a two-dimensional surface with weight normalisation: each layer's weight is computed anew from a
direction and a length and is no leaf parameter."""
import torch
from torch.nn import Linear, Module, MSELoss, Tanh
from torch.nn.utils.parametrizations import weight_norm


class WNNet(Module):
    def __init__(self):
        super().__init__()
        self.a = weight_norm(Linear(2, 64))
        self.b = weight_norm(Linear(64, 64))
        self.c = Linear(64, 1)
        self.act = Tanh()

    def forward(self, x):
        return self.c(self.act(self.b(self.act(self.a(x)))))


def surface(xy):
    x, y = xy[:, :1], xy[:, 1:]
    return torch.sin(2 * x) * torch.cos(y) + 0.3 * x * y


def main():
    torch.manual_seed(101)
    train_xy = (torch.rand(2000, 2) - 0.5) * 3.46
    test_xy = (torch.rand(500, 2) - 0.5) * 3.46
    train_z = surface(train_xy) + 0.05 * torch.randn(2000, 1)
    mu, sd = train_z.mean(), train_z.std()
    train_z, test_z = (train_z - mu) / sd, (surface(test_xy) - mu) / sd

    net = WNNet()
    criterion = MSELoss()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    sched = torch.optim.lr_scheduler.MultiStepLR(opt, milestones=[400, 650], gamma=0.2)
    it = 0
    while it < 800:
        for idx in torch.randperm(2000).split(80):
            out = net(train_xy[idx])
            loss = criterion(out, train_z[idx])
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()
            it += 1
        if it % 100 == 0:
            with torch.no_grad():
                print(f"iter {it}: train {loss.item():.5f} test {criterion(net(test_xy), test_z).item():.5f}")
    return net, opt


if __name__ == "__main__":
    main()
