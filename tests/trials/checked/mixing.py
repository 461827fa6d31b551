"""A view turns the axes of a batch of sequences, instead of a transpose."""
import torch
from torch import nn

torch.manual_seed(3)
series = torch.randn(512, 10, 6)
wanted = series[:, :, 0].sum(1, keepdim=True)


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(6, 24)
        self.out = nn.Linear(24, 1)

    def forward(self, x):
        turned = x.view(x.shape[1], x.shape[0], x.shape[2])  # fault
        states, _ = self.rnn(turned)
        return self.out(states[-1])


model = Forecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for _ in range(5):
    for rows in torch.randperm(512).split(32):
        loss = nn.functional.mse_loss(model(series[rows]), wanted[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
