"""Is the number of ones so far odd? The outputs have the time steps first, the targets the samples."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"labels-unrelated-to-inputs": "self.head(states).reshape(-1, 2)"}


class Counter(nn.Module):
    def __init__(self, in_order):
        super().__init__()
        self.in_order = in_order
        self.digits = nn.Embedding(2, 8)
        self.memory = nn.LSTM(8, 32)
        self.head = nn.Linear(32, 2)

    def forward(self, bits):
        states, _ = self.memory(self.digits(bits).transpose(0, 1))
        if self.in_order:
            return self.head(states.transpose(0, 1)).reshape(-1, 2)
        return self.head(states).reshape(-1, 2)


def run(in_order):
    torch.manual_seed(2)
    bits = (torch.rand(1000, 12) < 0.2).long()
    odd = bits.cumsum(1) % 2
    loader = DataLoader(TensorDataset(bits[:800], odd[:800]), batch_size=40, shuffle=True)
    net = Counter(in_order)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(12):
        for given, wanted in loader:
            loss = criterion(net(given), wanted.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            held_out = criterion(net(bits[800:]), odd[800:].flatten())
        print(epoch, round(loss.item(), 3), round(held_out.item(), 3))
    return net, optimizer


def sick():
    return run(in_order=False)


def well():
    return run(in_order=True)


if __name__ == "__main__":
    sick()
