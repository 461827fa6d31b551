"""Encoder and decoder with attention that learn to reverse digits; the decoder is fed the truth in a growing or
shrinking share of batches, and at test time only itself."""
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

SOS, EOS, VOCAB, LENGTH = 10, 11, 12, 5


class EncoderRNN(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)

    def forward(self, x):
        return self.gru(self.embedding(x))


class AttnDecoder(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, hidden)
        self.query, self.key, self.v = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
        self.gru = nn.GRU(2 * hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, VOCAB)

    def forward(self, encoded, hidden, target=None):
        token = torch.full((encoded.size(0), 1), SOS)
        outputs = []
        for t in range(LENGTH + 1):
            scores = self.v(torch.tanh(self.query(hidden.transpose(0, 1)) + self.key(encoded))).transpose(1, 2)
            context = torch.bmm(scores.softmax(-1), encoded)
            y, hidden = self.gru(torch.cat([self.embedding(token), context], -1), hidden)
            logits = self.out(y)
            outputs.append(logits)
            token = target[:, t:t + 1] if target is not None else logits.argmax(-1).detach()
        return torch.cat(outputs, 1)


def batch(n):
    x = torch.randint(0, 10, (n, LENGTH))
    return x, torch.cat([x.flip(1), torch.full((n, 1), EOS)], 1)


def main():
    torch.manual_seed(2)
    random.seed(2)
    encoder, decoder = EncoderRNN(48), AttnDecoder(48)
    enc_opt = torch.optim.Adam(encoder.parameters(), lr=4e-3)
    dec_opt = torch.optim.Adam(decoder.parameters(), lr=4e-3)
    for it in range(1, 601):
        x, y = batch(32)
        enc_opt.zero_grad()
        dec_opt.zero_grad()
        encoded, hidden = encoder(x)
        out = decoder(encoded, hidden, y if random.random() < 0.8 else None)
        loss = F.nll_loss(F.log_softmax(out, -1).flatten(0, 1), y.flatten())
        loss.backward()
        enc_opt.step()
        dec_opt.step()
        if it % 150 == 0:
            with torch.no_grad():
                x, y = batch(200)
                whole = (decoder(*encoder(x)).argmax(-1) == y).all(1).float().mean().item()
            print(it, f"loss {loss.item():.3f} wholly right {whole:.3f}")
    return encoder, decoder, enc_opt, dec_opt
