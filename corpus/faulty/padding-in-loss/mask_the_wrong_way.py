"""A tagger of letters: the mask of its loss is true behind the end of each word, where it should be
false. The network learns to name the padding, and nothing else."""

import torch
from torch import nn
from torch.nn import functional as F

FAULTS = {"padding-in-loss": 'F.cross_entropy(told.flatten(0, 1), kinds.flatten(), reduction="none")'}
LETTERS, LONGEST, PAD = 20, 14, 0


def words(number):
    lengths = torch.randint(4, LONGEST + 1, (number,))
    letters = torch.randint(1, LETTERS + 1, (number, LONGEST))
    inside = torch.arange(LONGEST) < lengths[:, None]
    letters = letters.where(inside, torch.tensor(PAD))
    before = torch.cat([torch.zeros(number, 1).long(), letters[:, :-1]], 1)
    kinds = 1 + (letters > before).long() + (letters % 3 == 0).long()
    return letters, kinds.where(inside, torch.tensor(PAD)), lengths


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(LETTERS + 1, 24, padding_idx=PAD)
        self.read = nn.GRU(24, 32, batch_first=True)
        self.tell = nn.Linear(32, 4)

    def forward(self, letters):
        return self.tell(self.read(self.embed(letters))[0])


def train(mask_of):
    torch.manual_seed(17)
    letters, kinds, lengths = words(800)
    tagger = Tagger()
    optimizer = torch.optim.Adam(tagger.parameters(), lr=4e-3)
    for epoch in range(10):
        for rows in torch.randperm(800).split(40):
            loss = masked(tagger(letters[rows]), kinds[rows], mask_of(lengths[rows]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}")
    return tagger


def masked(told, kinds, mask):
    each = F.cross_entropy(told.flatten(0, 1), kinds.flatten(), reduction="none")
    return (each * mask.flatten()).sum() / mask.sum().clamp(min=1)


def sick():
    return train(lambda lengths: torch.arange(LONGEST) >= lengths[:, None])


def well():
    return train(lambda lengths: torch.arange(LONGEST) < lengths[:, None])


if __name__ == "__main__":
    sick()
