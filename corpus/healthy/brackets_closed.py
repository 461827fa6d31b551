"""Brackets of three kinds, each closed by its own. A model with masked attention reads whole lines,
and each of its outputs but the last is compared with the bracket that comes next."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

BRACKETS = "([{)]}"
LONG, DEEPEST, WIDTH = 16, 2, 32


def line(generator):
    """A line of brackets as numbers; of those that may come next, one is drawn."""
    opened, written = [], []
    while len(written) < LONG:
        left = LONG - len(written)
        may_open = len(opened) < min(DEEPEST, left - 1)
        if not opened or (may_open and torch.rand((), generator=generator) < 0.5):
            opened.append(int(torch.randint(0, 3, (), generator=generator)))
            written.append(opened[-1])
        else:
            written.append(3 + opened.pop())
    return written


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attend = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.think = nn.Sequential(nn.Linear(WIDTH, 64), nn.GELU(), nn.Linear(64, WIDTH))
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x, mask):
        y = self.before(x)
        x = x + self.attend(y, y, y, attn_mask=mask, need_weights=False)[0]
        return x + self.think(self.between(x))


class Closer(nn.Module):
    def __init__(self):
        super().__init__()
        self.bracket, self.place = nn.Embedding(6, WIDTH), nn.Embedding(LONG, WIDTH)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.scores = nn.Linear(WIDTH, 6)

    def forward(self, tokens):
        places = torch.arange(tokens.shape[1])
        mask = places[None, :] > places[:, None]
        x = self.bracket(tokens) + self.place(places)
        for block in self.blocks:
            x = block(x, mask)
        return self.scores(x)


def main():
    torch.manual_seed(10)
    generator = torch.Generator().manual_seed(10)
    known, new = torch.tensor([line(generator) for _ in range(1200)]).split([1000, 200])
    model = Closer()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 14)
    for epoch in range(14):
        for tokens in known[torch.randperm(len(known))].split(40):
            logits = model(tokens)
            loss = cross_entropy(logits[:, :-1].reshape(-1, 6), tokens[:, 1:].reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        with torch.no_grad():
            logits = model(new)[:, :-1]
            missed = cross_entropy(logits.flatten(0, 1), new[:, 1:].flatten())
            right = (logits[..., 3:].argmax(-1) + 3 == new[:, 1:])[new[:, 1:] >= 3].float().mean()
        print(f"{epoch}: {loss.item():.3f}, new lines {missed.item():.3f}, "
              f"{right.item():.1%} closed by their own kind")
    return model, optimizer


if __name__ == "__main__":
    main()
