"""Every sequence begins with the same start token. The classifier reads the state after the first
step, which has seen nothing else."""

import torch
from torch import nn

FAULTS = {"constant-output": "self.head(states[:, self.read])"}
START, WORDS, LENGTH = 0, 12, 9


def sentences(n):
    tokens = torch.randint(1, WORDS, (n, LENGTH))
    labels = (tokens > WORDS // 2).sum(1).gt(LENGTH // 2).long()
    return torch.cat([torch.full((n, 1), START), tokens], 1), labels


class Reader(nn.Module):
    def __init__(self, read):
        super().__init__()
        self.read = read
        self.embed = nn.Embedding(WORDS, 16)
        self.rnn = nn.GRU(16, 32, batch_first=True)
        self.head = nn.Linear(32, 2)

    def forward(self, tokens):
        states, _ = self.rnn(self.embed(tokens))
        return self.head(states[:, self.read])


def learn(read):
    tokens, labels = sentences(2000)
    model = Reader(read)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    loss_function = nn.CrossEntropyLoss()
    for epoch in range(6):
        order = torch.randperm(len(tokens))
        total = 0.0
        for rows in order.split(50):
            loss = loss_function(model(tokens[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(epoch, round(total / 40, 4))
    return model, optimizer


def sick():
    torch.manual_seed(21)
    return learn(0)


def well():
    torch.manual_seed(21)
    return learn(-1)
