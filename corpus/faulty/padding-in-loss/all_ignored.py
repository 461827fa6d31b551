"""Words of a sentence are hidden and are to be found again. The targets are -100 where nothing is
hidden, but the program looks for the hidden words by the wrong number: all of them stay -100."""

import torch
from torch import nn

FAULTS = {"padding-in-loss": "self.criterion(scores.transpose(1, 2), targets)"}

WORDS, HIDDEN = 12, 0


class Guesser(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.embed = nn.Embedding(WORDS, width)
        self.mix = nn.Conv1d(width, width, 5, padding=2)
        self.out = nn.Linear(width, WORDS)
        self.criterion = nn.CrossEntropyLoss(ignore_index=-100)

    def forward(self, words, targets):
        h = torch.relu(self.mix(self.embed(words).transpose(1, 2))).transpose(1, 2)
        scores = self.out(h)
        return self.criterion(scores.transpose(1, 2), targets)


def sentences(n):
    start = torch.randint(0, 4, (n, 1))
    return (start + torch.arange(14) * 2) % (WORDS - 1) + 1


def main(finds):
    torch.manual_seed(0)
    model = Guesser()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(150):
        words = sentences(32)
        hide = torch.rand(words.shape) < 0.2
        if finds:
            targets = words.masked_fill(~hide, -100)
            words = words.masked_fill(hide, HIDDEN)
        else:
            targets = torch.full_like(words, -100)
            words = words.masked_fill(hide, HIDDEN)
            targets[words == WORDS] = words[words == WORDS]
        loss = model(words, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 30 == 0:
            print(step, loss.item())
    return model, optimizer


def sick():
    return main(finds=False)


def well():
    return main(finds=True)


if __name__ == "__main__":
    sick()
