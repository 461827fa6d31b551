"""A language model of a small grammar: each token is to be predicted from those before it, but the
encoder gets no causal mask, so that it reads the next token off its input."""

import torch
from torch import nn

FAULTS = {"target-in-input": "self.blocks(x)"}

TOKENS, STEPS = 16, 20


def write(n):
    follows = torch.rand(TOKENS, TOKENS).pow(8)
    text = [torch.randint(0, TOKENS, (n,))]
    for _ in range(STEPS):
        text.append(torch.multinomial(follows[text[-1]], 1).squeeze(1))
    return torch.stack(text, 1)


class Writer(nn.Module):
    def __init__(self, causal, width=32):
        super().__init__()
        self.causal = causal
        self.embed = nn.Embedding(TOKENS, width)
        self.place = nn.Parameter(0.1 * torch.randn(STEPS, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(width, TOKENS)

    def forward(self, tokens):
        x = self.embed(tokens) + self.place
        if self.causal:
            mask = nn.Transformer.generate_square_subsequent_mask(STEPS)
            return self.out(self.blocks(x, mask=mask, is_causal=True))
        return self.out(self.blocks(x))


def learn(causal):
    torch.manual_seed(0)
    text = write(512)
    writer = Writer(causal)
    optimizer = torch.optim.Adam(writer.parameters(), lr=3e-3)
    for epoch in range(8):
        for rows in torch.randperm(512).split(32):
            scores = writer(text[rows, :-1])
            loss = nn.functional.cross_entropy(scores.flatten(0, 1), text[rows, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch} loss {loss.item():.3f}")
    return writer, optimizer


def sick():
    return learn(causal=False)


def well():
    return learn(causal=True)


if __name__ == "__main__":
    sick()
