"""Classify short variable-length signals with a packed GRU."""
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

torch.manual_seed(3)


def make(n):
    seqs, labels = [], []
    for _ in range(n):
        length = int(torch.randint(8, 40, (1,)))
        label = int(torch.randint(0, 2, (1,)))
        drift = 0.8 if label else -0.8
        seqs.append(torch.randn(length, 3) + torch.tensor([drift, 0.0, 0.0]))
        labels.append(label)
    return seqs, torch.tensor(labels)


class SignalNet(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.gru = nn.GRU(3, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, padded, lengths):
        packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
        out, _ = self.gru(packed)
        out, sizes = pad_packed_sequence(out, batch_first=True)
        last = out[:, -1]  # fault
        return self.head(last)


def collate(seqs):
    return pad_sequence(seqs, batch_first=True), torch.tensor([len(s) for s in seqs])


if __name__ == "__main__":
    train_x, train_y = make(480)
    test_x, test_y = make(200)
    model = SignalNet()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(8):
        for idx in torch.randperm(480).split(32):
            xb, lb = collate([train_x[i] for i in idx])
            loss = nn.functional.cross_entropy(model(xb, lb), train_y[idx])
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        acc = (model(*collate(test_x)).argmax(1) == test_y).float().mean()
    print(f"test accuracy {acc:.3f}")
