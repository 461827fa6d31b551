"""Two modules in a row; what the first gives is detached on the way to the second."""
import torch
from torch import nn

torch.manual_seed(42)
x = torch.randn(900, 12)
y = (x[:, :3].sum(1) > 0).long()
encoder = nn.Sequential(nn.Linear(12, 6), nn.Tanh())
decoder = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
for epoch in range(4):
    for rows in torch.randperm(900).split(30):
        code = encoder(x[rows])
        code = code.detach()  # fault
        loss = nn.functional.cross_entropy(decoder(code), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
