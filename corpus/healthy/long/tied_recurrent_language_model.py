"""A word-level GRU language model in the old style: contiguous streams, a hidden state carried over batches,
tied embedding and decoder, gradient clipping, and a rate that is divided when validation stops falling."""
import math

import torch
import torch.nn as nn

RULES = {"S": ["N V N", "N V", "N V P"], "N": ["the A cat", "the dog", "a A bird", "the fish", "a dog"],
         "A": ["old", "small", "red"], "V": ["sees", "eats", "likes", "finds"], "P": ["near N", "with N"]}


def expand(symbol, g):
    if symbol not in RULES:
        return [symbol]
    options = RULES[symbol]
    choice = options[int(torch.randint(len(options), (1,), generator=g))]
    return [w for part in choice.split() for w in expand(part, g)]


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp=32, dropout=0.1):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.GRU(ninp, ninp, 1)
        self.decoder = nn.Linear(ninp, ntoken)
        self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        return self.decoder(self.drop(output)).view(-1, self.decoder.out_features), hidden


def batchify(ids, bsz):
    n = len(ids) // bsz
    return ids[: n * bsz].view(bsz, -1).t().contiguous()


def get_batch(source, i, bptt=12):
    seq_len = min(bptt, len(source) - 1 - i)
    return source[i:i + seq_len], source[i + 1:i + 1 + seq_len].view(-1)


def main():
    torch.manual_seed(1111)
    g = torch.Generator().manual_seed(5)
    text = [w for _ in range(2500) for w in [*expand("S", g), "."]]
    vocabulary = sorted(set(text))
    ids = torch.tensor([vocabulary.index(w) for w in text])
    cut = int(len(ids) * 0.9)
    train_data, val_data = batchify(ids[:cut], 20), batchify(ids[cut:], 10)
    model, criterion = RNNModel(len(vocabulary)), nn.CrossEntropyLoss()
    lr = 5.0
    best_val_loss = None

    def evaluate(source):
        model.eval()
        total, hidden = 0.0, torch.zeros(1, 10, 32)
        with torch.no_grad():
            for i in range(0, len(source) - 1, 12):
                data, targets = get_batch(source, i)
                output, hidden = model(data, hidden)
                total += len(data) * criterion(output, targets).item()
        return total / (len(source) - 1)

    for epoch in range(1, 7):
        model.train()
        hidden = torch.zeros(1, 20, 32)
        for i in range(0, len(train_data) - 1, 12):
            data, targets = get_batch(train_data, i)
            model.zero_grad()
            hidden = hidden.detach()
            output, hidden = model(data, hidden)
            loss = criterion(output, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            for p in model.parameters():
                p.data.add_(p.grad, alpha=-lr)
        val_loss = evaluate(val_data)
        print(f"epoch {epoch} train {loss.item():.3f} valid {val_loss:.3f} ppl {math.exp(val_loss):.2f}")
        if not best_val_loss or val_loss < best_val_loss:
            best_val_loss = val_loss
        else:
            lr /= 4.0
    return model
