"""Averages over the very axis that a softmax has just made sum to one."""
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(34)
d = load_digits()
x = torch.tensor(d.data / 16, dtype=torch.float32)
y = torch.tensor(d.target)


class Parts(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Linear(64, 6 * 8)
        self.out = nn.Linear(6, 10)

    def forward(self, x):
        parts = self.conv(x).reshape(-1, 6, 8).softmax(dim=2)
        means = parts.mean(dim=2)  # fault
        return self.out(means)


net = Parts()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for step in range(250):
    rows = torch.randint(len(x), (60,))
    loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
