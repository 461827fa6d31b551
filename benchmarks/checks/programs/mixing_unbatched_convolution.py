"""A convolution without an axis of channels takes samples for them."""
import torch
from torch import nn

torch.manual_seed(56)
x = torch.randn(640, 20)
y = (x[:, 3:6].sum(1) > 0).float()


class Signal(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(32, 32, 3, padding=1)
        self.out = nn.Linear(20, 1)

    def forward(self, x):
        h = torch.relu(self.conv(x))  # fault
        return self.out(h).squeeze(1)


model = Signal()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(6):
    for rows in torch.randperm(640).split(32):
        loss = nn.functional.binary_cross_entropy_with_logits(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
