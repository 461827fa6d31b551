"""torch.where keeps what should go: measured values are replaced, missing ones stay."""
import torch
from sklearn.datasets import load_wine
from torch import nn

torch.manual_seed(22)
data = load_wine()
x = torch.tensor((data.data - data.data.mean(0)) / data.data.std(0), dtype=torch.float32)
y = torch.tensor(data.target)
measured = torch.rand(len(x), 13) > 0.2
x = torch.where(measured, x, torch.zeros(()))
rows = torch.cat([x, measured.float()], 1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fill = nn.Parameter(torch.zeros(13))
        self.layers = nn.Sequential(nn.Linear(13, 40), nn.ReLU(), nn.Linear(40, 3))

    def forward(self, rows):
        values, known = rows[:, :13], rows[:, 13:] > 0.5
        filled = torch.where(known, self.fill, values)  # fault
        return self.layers(filled)


model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(40):
    for chosen in torch.randperm(len(x)).split(32):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(rows[chosen]), y[chosen])
        loss.backward()
        optimizer.step()
