"""Sequences of different lengths: a collate function pads them, pack_padded_sequence hides the padding from the GRU.
The task is to tell on which side a walk ends."""
import random

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

MOVES = {"<pad>": 0, "N": 1, "S": 2, "W": 3, "E": 4}


def make_samples(n, rng, banned=()):
    """Random walks of 6 to 24 moves; the label says whether the walk ends in the east of where it began."""
    seen, samples = set(banned), []
    while len(samples) < n:
        walk = "".join(rng.choices("NSWE", k=rng.randint(6, 24)))
        east = walk.count("E") - walk.count("W")
        if east != 0 and walk not in seen:
            seen.add(walk)
            samples.append((torch.tensor([MOVES[m] for m in walk]), int(east > 0)))
    return samples, seen


def collate_fn(batch):
    sequences, labels = zip(*batch)
    lengths = torch.tensor([len(s) for s in sequences])
    return pad_sequence(sequences, batch_first=True), lengths, torch.tensor(labels, dtype=torch.float)


class WalkNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(MOVES), 8, padding_idx=0)
        self.gru = nn.GRU(8, 24, batch_first=True)
        self.fc = nn.Linear(24, 1)

    def forward(self, padded, lengths):
        packed = pack_padded_sequence(self.embedding(padded), lengths, batch_first=True, enforce_sorted=False)
        _, hidden = self.gru(packed)
        return self.fc(hidden.squeeze(0)).squeeze(1)


def main():
    torch.manual_seed(36)
    rng = random.Random(36)
    train, seen = make_samples(1200, rng)
    valid, _ = make_samples(320, rng, banned=seen)
    train_loader = DataLoader(train, batch_size=40, shuffle=True, collate_fn=collate_fn)
    valid_loader = DataLoader(valid, batch_size=160, collate_fn=collate_fn)
    model = WalkNet()
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [6, 8], 0.2)
    for epoch in range(9):
        model.train()
        loss_sum = 0.0
        for x, n, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(x, n), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            loss_sum += loss.item() / len(train_loader)
        scheduler.step()
        model.eval()
        with torch.no_grad():
            out = [(model(x, n), y) for x, n, y in valid_loader]
        val = sum(criterion(o, y).item() for o, y in out) / len(out)
        acc = sum(((o > 0) == (y > 0)).sum().item() for o, y in out) / len(valid)
        print(f"{epoch}: {loss_sum:.4f} {val:.4f} {acc:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
