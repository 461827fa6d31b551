"""A shift of forty in front of a sigmoid: every unit is at 1 for good."""
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

torch.manual_seed(31)
data = load_breast_cancer()
x = torch.tensor(data.data / data.data.max(0), dtype=torch.float32)
y = torch.tensor(data.target).float()


class Hot(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(30, 16)
        self.second = nn.Linear(16, 16)
        self.third = nn.Linear(16, 1)

    def forward(self, x):
        h = torch.relu(self.first(x))
        h = torch.sigmoid(self.second(h) + 40)  # fault
        return self.third(h).squeeze(1)


net = Hot()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for epoch in range(10):
    for rows in torch.randperm(len(x)).split(32):
        loss = nn.functional.binary_cross_entropy_with_logits(net(x[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
