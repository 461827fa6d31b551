"""The key padding mask of the attention is turned round: words are ignored, padding is read."""
import torch
from torch import nn

torch.manual_seed(21)
N, T = 640, 14
y = torch.randint(0, 4, (N,))
lengths = torch.randint(4, 12, (N,))
ids = torch.randint(0, 8, (N, T)) + 8 * y[:, None] + 1
ids[torch.arange(T)[None] >= lengths[:, None]] = 0


class Attend(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(40, 32)
        self.query = nn.Parameter(torch.randn(1, 1, 32) * 0.1)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.out = nn.Linear(32, 4)

    def forward(self, ids):
        words = self.embed(ids)
        ignored = ids != 0
        query = self.query.expand(len(ids), -1, -1)
        read, _ = self.attention(query, words, words, key_padding_mask=ignored)  # fault
        return self.out(read.squeeze(1))


model = Attend()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(5):
    for rows in torch.randperm(N).split(32):
        loss = nn.functional.cross_entropy(model(ids[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
