"""A running sum along the batch, instead of along time."""
import torch
from torch import nn

torch.manual_seed(55)
steps = torch.randn(512, 12)
wanted = steps.cumsum(1)[:, -1:]


class Walk(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 1))

    def forward(self, s):
        places = torch.cumsum(s, dim=0)  # fault
        return self.net(places)


walker = Walk()
sgd = torch.optim.SGD(walker.parameters(), lr=1e-3)
for epoch in range(10):
    for rows in torch.randperm(512).split(16):
        sgd.zero_grad()
        loss = nn.functional.mse_loss(walker(steps[rows]), wanted[rows])
        loss.backward()
        sgd.step()
