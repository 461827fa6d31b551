"""An encoder that is given a layer and a number keeps the layer itself so many times, where
nn.TransformerEncoder makes copies of it."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

FAULTS = {"repeated-layer": "[encoder_layer for _ in range(n_layers)]"}
VOCABULARY, LENGTH = 9, 12


class Stack(nn.Module):
    def __init__(self, encoder_layer, n_layers):
        super().__init__()
        self.layers = nn.ModuleList([encoder_layer for _ in range(n_layers)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class StackOfCopies(Stack):
    def __init__(self, encoder_layer, n_layers):
        nn.Module.__init__(self)
        self.layers = nn.ModuleList([copy.deepcopy(encoder_layer) for _ in range(n_layers)])


class Tagger(nn.Module):
    def __init__(self, stack):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, 24)
        self.places = nn.Parameter(torch.randn(LENGTH, 24) * 0.1)
        layer = nn.TransformerEncoderLayer(24, 3, 48, dropout=0.0, batch_first=True)
        self.stack = stack(layer, 3)
        self.out = nn.Linear(24, VOCABULARY)

    def forward(self, tokens):
        return self.out(self.stack(self.tokens(tokens) + self.places))


def run(stack):
    torch.manual_seed(41)
    model = Tagger(stack)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for step in range(220):
        tokens = torch.randint(VOCABULARY, (32, LENGTH))
        target = tokens.roll(1, 1)  # the token to the left
        loss = F.cross_entropy(model(tokens).flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 39:
            print(step, loss.item())
    return model, optimizer


def sick():
    return run(Stack)


def well():
    return run(StackOfCopies)


if __name__ == "__main__":
    sick()
