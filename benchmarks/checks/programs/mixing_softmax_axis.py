"""A softmax along the batch: what one sample gets depends on all the others."""
import torch
from sklearn.datasets import load_wine
from torch import nn

torch.manual_seed(51)
data = load_wine()
x = torch.tensor((data.data - data.data.mean(0)) / data.data.std(0), dtype=torch.float32)
y = torch.tensor(data.target)


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(13, 20)
        self.value = nn.Linear(13, 20)
        self.out = nn.Linear(20, 3)

    def forward(self, x):
        gate = torch.softmax(self.gate(x), 0)  # fault
        return self.out(gate * self.value(x))


model = Gated()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(30):
    for rows in torch.randperm(len(x)).split(16):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
