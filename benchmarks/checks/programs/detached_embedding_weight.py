"""Words are looked up in the table's data, so the table is never trained."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(44)
words = torch.randint(0, 50, (700, 9))
y = (words[:, 0] % 3)


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(50, 16) * 0.3)
        self.out = nn.Linear(9 * 16, 3)

    def forward(self, words):
        vectors = F.embedding(words, self.table.detach())  # fault
        return self.out(vectors.flatten(1))


net = Table()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
loss_fn = nn.CrossEntropyLoss()
for epoch in range(3):
    for rows in torch.randperm(700).split(50):
        loss = loss_fn(net(words[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
