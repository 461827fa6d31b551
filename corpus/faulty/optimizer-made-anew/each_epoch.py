"""The optimizer is built inside the loop over epochs, and the scheduler that was built before goes on
with one that nobody uses."""
import torch
import torch.nn as nn
from sklearn.datasets import make_friedman1

FAULTS = {"optimizer-made-anew":
          "torch.optim.SGD(net.parameters(), lr=2e-4, momentum=0.99)"}


def batches(x, y, size):
    for rows in torch.randperm(len(x)).split(size):
        yield x[rows], y[rows]


def run(each):
    torch.manual_seed(3)
    a, b = make_friedman1(1200, noise=0.3, random_state=8)
    x = torch.tensor(a, dtype=torch.float32) * 2 - 1
    y = torch.tensor((b - b.mean()) / b.std(), dtype=torch.float32).unsqueeze(1)
    net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))
    loss_fn = nn.MSELoss()
    opt = torch.optim.SGD(net.parameters(), lr=2e-4, momentum=0.99)
    scheduler = torch.optim.lr_scheduler.StepLR(opt, 20, 0.5)
    for epoch in range(24):
        if each:
            opt = torch.optim.SGD(net.parameters(), lr=2e-4, momentum=0.99)
        for inputs, targets in batches(x[:1000], y[:1000], 50):
            opt.zero_grad()
            loss = loss_fn(net(inputs), targets)
            loss.backward()
            opt.step()
        scheduler.step()
        with torch.no_grad():
            print(epoch, loss.item(), loss_fn(net(x[1000:]), y[1000:]).item())
    return net, opt


def sick():
    return run(each=True)


def well():
    return run(each=False)


if __name__ == "__main__":
    sick()
