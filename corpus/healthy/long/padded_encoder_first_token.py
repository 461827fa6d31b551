"""Sentences padded with 0 go through an attention encoder with a padding mask; the classifier reads
the first token, which is put in front of all of them."""

import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, words=20, width=32):
        super().__init__()
        self.embed = nn.Embedding(words, width, padding_idx=0)
        self.place = nn.Parameter(0.1 * torch.randn(17, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.out = nn.Linear(width, 4)

    def forward(self, tokens):
        h = self.embed(tokens) + self.place[: tokens.shape[1]]
        h = self.layers(h, src_key_padding_mask=tokens == 0)
        return self.out(h[:, 0])


def sentences(n, longest=16):
    tokens = torch.zeros(n, longest + 1, dtype=torch.long)
    tokens[:, 0] = 1
    topic = torch.randint(0, 4, (n,))
    for row, t in zip(tokens, topic.tolist()):
        k = int(torch.randint(4, longest + 1, ()))
        row[1 : k + 1] = torch.randint(6, 20, (k,))
        row[1 + int(torch.randint(0, k, ()))] = 2 + t
    return tokens, topic


def main():
    torch.manual_seed(2)
    tokens, topic = sentences(640)
    model = Encoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(10):
        for i in torch.randperm(640).split(32):
            loss = nn.functional.cross_entropy(model(tokens[i]), topic[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())
    return model, optimizer


if __name__ == "__main__":
    main()
