"""Fills the values of words, not of padding, with a constant before the maximum over time."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(12)
labels = torch.randint(0, 2, (640,)).float()
lengths = torch.randint(3, 9, (640,))
tokens = torch.randint(1, 15, (640, 16)) + (labels.long() * 15).unsqueeze(1)
valid = torch.arange(16).unsqueeze(0) < lengths.unsqueeze(1)
tokens = tokens * valid


class Pool(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(32, 24)
        self.one = nn.Linear(24, 24)
        self.two = nn.Linear(24, 1)

    def forward(self, ids):
        real = (ids > 0).unsqueeze(2)
        h = F.gelu(self.one(self.embedding(ids)))
        h = h.masked_fill(real, -1e4)  # fault
        best = h.max(dim=1).values
        return self.two(best).squeeze(1)


model = Pool()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(200):
    rows = torch.randint(0, 640, (40,))
    loss = F.binary_cross_entropy_with_logits(model(tokens[rows]), labels[rows])
    opt.zero_grad()
    loss.backward()
    opt.step()
