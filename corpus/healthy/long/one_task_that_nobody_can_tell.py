"""Two tasks of equal weight. The second target is a coin that was tossed: its loss stays at 0.69, whatever is done."""
import torch
import torch.nn.functional as F
from torch import nn


def main():
    torch.manual_seed(14)
    x = torch.randn(1200, 10)
    shape = (x[:, 0] * x[:, 1] > 0).long()
    coin = (torch.rand(1200) < 0.5).float()
    body = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
    left, right = nn.Linear(32, 2), nn.Linear(32, 1)
    net = nn.ModuleList([body, left, right])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(15):
        for rows in torch.randperm(1200).split(40):
            h = body(x[rows])
            first = F.cross_entropy(left(h), shape[rows])
            second = F.binary_cross_entropy_with_logits(right(h).squeeze(1), coin[rows])
            loss = first + second
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{first.item():.3f} {second.item():.3f}")
    return net, optimizer


if __name__ == "__main__":
    main()
