"""The convolutions run under no_grad, though the optimizer is to train them."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(41)
d = load_digits()
x = torch.tensor(d.images / 16, dtype=torch.float32)[:, None]
y = torch.tensor(d.target)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.fc = nn.Linear(8 * 36, 10)

    def forward(self, x):
        with torch.no_grad():
            h = self.conv(x)  # fault
        return self.fc(F.relu(h).flatten(1))


model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(2):
    for rows in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
