"""The attention is built without batch_first: samples attend to each other."""
import torch
from torch import nn

torch.manual_seed(54)
x = torch.randn(480, 7, 8)
y = x[:, 2, :1] * 2


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.attend = nn.MultiheadAttention(8, 2)
        self.read = nn.Sequential(nn.Flatten(), nn.Linear(56, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        seen, _ = self.attend(x, x, x)  # fault
        return self.read(seen)


model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.MSELoss()
for epoch in range(6):
    for rows in torch.randperm(480).split(24):
        optimizer.zero_grad()
        criterion(model(x[rows]), y[rows]).backward()
        optimizer.step()
