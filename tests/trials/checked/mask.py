"""The mask of a mean over words is inverted: the padding is averaged, and the words are not."""
import torch
from torch import nn

torch.manual_seed(0)
words = torch.randint(1, 40, (600, 12))
labels = torch.arange(600) % 3
lengths = torch.randint(3, 12, (600,))
words = words % 13 + 13 * labels[:, None] + 1
words[torch.arange(12)[None, :] >= lengths[:, None]] = 0


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(60, 24)
        self.out = nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 3))

    def forward(self, words):
        mask = (words == 0).unsqueeze(-1).float()
        vectors = self.embed(words) * mask  # fault
        mean = vectors.sum(1) / mask.sum(1)
        return self.out(mean)


model = Bag()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
criterion = nn.CrossEntropyLoss()
for _ in range(4):
    for rows in torch.randperm(600).split(50):
        optimizer.zero_grad()
        loss = criterion(model(words[rows]), labels[rows])
        loss.backward()
        optimizer.step()
