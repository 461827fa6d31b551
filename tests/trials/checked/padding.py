"""Reads the last place of padded sequences: behind the end of nearly all of them."""
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader


def collate(batch):
    words = pad_sequence([x for x, _ in batch], batch_first=True)
    return words, torch.tensor([y for _, y in batch])


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 16, padding_idx=0)
        self.encode = nn.GRU(16, 32, batch_first=True)
        self.head = nn.Linear(32, 2)

    def forward(self, words):
        hidden, _ = self.encode(self.embed(words))
        last = hidden[:, -1]  # fault
        return self.head(last)


def main():
    torch.manual_seed(0)
    data = []
    for number in range(512):
        label = number % 2
        length = int(torch.randint(4, 9, (1,)))
        words = torch.randint(2, 12, (length,)) + 8 * label
        data.append((torch.cat([words, torch.zeros(60 - length, dtype=torch.long)]), label))
    loader = DataLoader(data, batch_size=32, shuffle=True, collate_fn=collate)
    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(3):
        for words, labels in loader:
            loss = nn.functional.cross_entropy(model(words), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    main()
