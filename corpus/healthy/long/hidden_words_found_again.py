"""Words of sentences are hidden and found again by an encoder that sees all the others, those that
follow as well; only hidden words count in the loss."""

import torch
from torch import nn

WORDS, STEPS = 14, 16


class Encoder(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embed = nn.Embedding(WORDS, width)
        self.place = nn.Parameter(0.1 * torch.randn(STEPS, width))
        self.layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True)
        self.out = nn.Linear(width, WORDS)

    def forward(self, words):
        return self.out(self.layer(self.embed(words) + self.place))


def main():
    torch.manual_seed(9)
    start, step = torch.randint(0, 13, (640, 1)), torch.randint(1, 3, (640, 1))
    sentences = (start + step * torch.arange(STEPS)) % (WORDS - 1) + 1
    model = Encoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(16):
        for rows in torch.randperm(640).split(32):
            words = sentences[rows]
            hide = torch.rand(words.shape) < 0.2
            scores = model(words.masked_fill(hide, 0))
            loss = nn.functional.cross_entropy(
                scores.transpose(1, 2), words.masked_fill(~hide, -100))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())
    return model, optimizer


if __name__ == "__main__":
    main()
