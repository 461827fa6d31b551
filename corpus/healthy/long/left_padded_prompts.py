"""Prompts of different lengths are padded on the left, as for generation, so that the last step of
the network is the last token of each of them."""

import torch
from torch import nn


def prompts(n, longest=24):
    tokens = torch.zeros(n, longest, dtype=torch.long)
    answers = torch.randint(0, 5, (n,))
    for row, answer in zip(tokens, answers.tolist()):
        k = int(torch.randint(5, longest, ()))
        row[-k:] = torch.randint(6, 16, (k,))
        row[-1 - int(torch.randint(0, 5, ()))] = answer + 1
    return tokens, answers


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(16, 24)
        self.rnn = nn.LSTM(24, 32, batch_first=True)
        self.head = nn.Linear(32, 5)

    def forward(self, tokens):
        return self.head(self.rnn(self.tokens(tokens))[0][:, -1])


def main():
    torch.manual_seed(3)
    tokens, answers = prompts(640)
    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    for epoch in range(10):
        for i in torch.randperm(640).split(32):
            loss = nn.functional.cross_entropy(model(tokens[i]), answers[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())
    return model, optimizer


if __name__ == "__main__":
    main()
