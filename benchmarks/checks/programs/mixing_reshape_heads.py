"""Heads are put in front by a reshape, which mixes samples, instead of a transpose."""
import torch
from torch import nn

torch.manual_seed(53)
x = torch.randn(400, 6, 16)
y = (x[:, 0, 0] > 0).long()


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(16, 16)
        self.out = nn.Linear(6 * 16, 2)

    def forward(self, x):
        n, t, d = x.shape
        h = self.mix(x)
        heads = h.reshape(4, n, t, d // 4)  # fault
        heads = torch.tanh(heads)
        joined = heads.permute(1, 2, 0, 3).reshape(n, t * d)
        return self.out(joined)


model = Heads()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for epoch in range(5):
    for rows in torch.randperm(400).split(20):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
