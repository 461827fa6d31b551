"""A curriculum: sequences to be summed become longer as soon as the short ones are known, so that the loss jumps
up at each new stage and falls again."""
import torch
from torch import nn


def task(n, length):
    x = torch.rand(n, length, 2) - 0.5
    x[:, :, 1] = (torch.rand(n, length) < 0.5).float()
    return x, (x[:, :, 0] * x[:, :, 1]).sum(1, keepdim=True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(2, 32, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def main():
    torch.manual_seed(17)
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    huber = nn.MSELoss()
    smooth, stage, lengths = 1.0, 0, [2, 4, 8, 12, 16]
    for step in range(900):
        x, y = task(64, lengths[stage])
        loss = huber(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        smooth = 0.95 * smooth + 0.05 * loss.item()
        if smooth < 0.01 and stage < len(lengths) - 1:
            stage, smooth = stage + 1, 1.0
            print("step", step, "length", lengths[stage])
    with torch.no_grad():
        for n in lengths:
            x, y = task(500, n)
            print("length", n, f"mse {huber(net(x), y).item():.4f} of {y.var().item():.4f}")
    return net, opt
