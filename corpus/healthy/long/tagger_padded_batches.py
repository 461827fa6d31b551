"""An LSTM tagger over sentences of unequal length: padded by a collate function, packed for the LSTM, and padding
ignored in the loss."""
import random

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader

PAD_TAG = -100
LEXICON = {"DET": ["the", "a"], "NOUN": ["dog", "run", "book", "walk", "cat"], "VERB": ["sees", "run", "book", "walk"],
           "ADJ": ["big", "old", "light"], "PRON": ["we", "they"], "ADV": ["often", "fast"]}
PATTERNS = [["DET", "NOUN", "VERB"], ["PRON", "VERB", "DET", "NOUN"], ["DET", "ADJ", "NOUN", "VERB", "ADV"],
            ["PRON", "ADV", "VERB"], ["PRON", "VERB", "DET", "ADJ", "NOUN", "ADV"]]
TAGS = list(LEXICON)
WORDS = ["<pad>"] + sorted({w for ws in LEXICON.values() for w in ws})


def sentence(rng):
    tags = [t for _ in range(rng.choice([1, 1, 2])) for t in rng.choice(PATTERNS)]
    return ([WORDS.index(rng.choice(LEXICON[t])) for t in tags], [TAGS.index(t) for t in tags])


def collate(batch):
    batch = sorted(batch, key=lambda b: -len(b[0]))
    lengths = torch.tensor([len(w) for w, _ in batch])
    words = pad_sequence([torch.tensor(w) for w, _ in batch], batch_first=True)
    tags = pad_sequence([torch.tensor(t) for _, t in batch], batch_first=True, padding_value=PAD_TAG)
    return words, tags, lengths


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(len(WORDS), 16, padding_idx=0)
        self.lstm = nn.LSTM(16, 24, batch_first=True, bidirectional=True)
        self.out = nn.Linear(48, len(TAGS))

    def forward(self, words, lengths):
        packed = pack_padded_sequence(self.emb(words), lengths, batch_first=True)
        h, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.out(h)


def main():
    torch.manual_seed(31)
    rng = random.Random(31)
    data = [sentence(rng) for _ in range(700)]
    train = DataLoader(data[:560], batch_size=32, shuffle=True, collate_fn=collate)
    dev = DataLoader(data[560:], batch_size=64, collate_fn=collate)
    model = Tagger()
    loss_fn = nn.CrossEntropyLoss(ignore_index=PAD_TAG)
    opt = torch.optim.Adam(model.parameters(), lr=8e-3)
    for epoch in range(6):
        model.train()
        for words, tags, lengths in train:
            opt.zero_grad()
            loss = loss_fn(model(words, lengths).flatten(0, 1), tags.flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            opt.step()
        model.eval()
        dev_loss = right = total = 0
        with torch.no_grad():
            for words, tags, lengths in dev:
                logits = model(words, lengths)
                dev_loss += loss_fn(logits.transpose(1, 2), tags).item()
                mask = tags != PAD_TAG
                right += (logits.argmax(-1)[mask] == tags[mask]).sum().item()
                total += mask.sum().item()
        print(f"epoch {epoch + 1} loss {loss.item():.3f} dev {dev_loss / len(dev):.3f} acc {right / total:.3f}")
    return model, opt
