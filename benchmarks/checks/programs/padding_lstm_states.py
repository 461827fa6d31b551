"""Takes the state at the last time step of padded sentences; most ended long before."""
import torch
from torch import nn

torch.manual_seed(11)
LENGTH, WORDS = 70, 30


def sentence(kind):
    length = int(torch.randint(5, 10, (1,)))
    row = torch.zeros(LENGTH, dtype=torch.long)
    row[:length] = torch.randint(1 + 10 * kind, 11 + 10 * kind, (length,))
    return row


y = torch.randint(0, 3, (700,))
x = torch.stack([sentence(int(kind)) for kind in y])


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(WORDS + 1, 20, padding_idx=0)
        self.memory = nn.LSTM(20, 40, batch_first=True)
        self.norm = nn.LayerNorm(40)
        self.classes = nn.Linear(40, 3)

    def forward(self, tokens):
        out, (state, cell) = self.memory(self.table(tokens))
        final = out[:, LENGTH - 1, :]  # fault
        return self.classes(self.norm(final))


net = Classifier()
adam = torch.optim.AdamW(net.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(6):
    for chosen in torch.randperm(700).split(35):
        adam.zero_grad()
        criterion(net(x[chosen]), y[chosen]).backward()
        adam.step()
