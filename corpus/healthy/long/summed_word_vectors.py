"""Padded texts as sums of word vectors, of which the padding's is zero and stays so: the sum knows
nothing of the padding."""

import torch
from torch import nn


class Sentiment(nn.Module):
    def __init__(self, words=60, width=24):
        super().__init__()
        self.vectors = nn.Embedding(words, width, padding_idx=0)
        self.hidden = nn.Linear(width, width)
        self.score = nn.Linear(width, 1)

    def forward(self, texts):
        return self.score(torch.relu(self.hidden(self.vectors(texts).sum(1)))).squeeze(1)


def main():
    torch.manual_seed(5)
    tone = torch.randn(60)
    texts = torch.zeros(640, 30, dtype=torch.long)
    for row in texts:
        k = int(torch.randint(3, 25, ()))
        row[:k] = torch.randint(1, 60, (k,))
    tone[0] = 0
    score = tone[texts].sum(1)
    good = (score + 0.3 * torch.randn(640) > score.median()).float()
    model = Sentiment()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(12):
        for i in torch.randperm(640).split(32):
            loss = nn.functional.binary_cross_entropy_with_logits(model(texts[i]), good[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())
    return model, optimizer


if __name__ == "__main__":
    main()
