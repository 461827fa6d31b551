"""Crates with up to twelve fruits each, and what a crate is worth: it goes by the ripest fruit and
by the share that is spoilt. Three learned queries look into each crate; free places are masked."""

import torch
from torch import nn

MOST, LOOKS, WIDTH = 12, 5, 32


def crates(number, generator):
    """Ripeness, weight, spots, colour and firmness of the fruits, the free places, the worth."""
    fruits = torch.randn(number, MOST, LOOKS, generator=generator)
    held = torch.randint(3, MOST + 1, (number, 1), generator=generator)
    free = torch.arange(MOST) >= held
    ripest = fruits[..., 0].masked_fill(free, -9.0).amax(dim=1)
    spoilt = ((fruits[..., 2] - fruits[..., 4] > 1) & ~free).sum(dim=1) / held[:, 0]
    worth = ripest - 3 * spoilt + 0.1 * torch.randn(number, generator=generator)
    return fruits.masked_fill(free[..., None], 0.0), free, worth


class Appraiser(nn.Module):
    def __init__(self, queries=3):
        super().__init__()
        self.look = nn.Sequential(nn.Linear(LOOKS, 64), nn.GELU(), nn.Linear(64, WIDTH))
        self.queries = nn.Parameter(0.5 * torch.randn(1, queries, WIDTH))
        self.pool = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.norm = nn.LayerNorm(WIDTH)
        self.price = nn.Sequential(
            nn.Flatten(), nn.Linear(queries * WIDTH, 48), nn.GELU(), nn.Linear(48, 1))

    def forward(self, fruits, free):
        seen = self.look(fruits)
        asked = self.queries.expand(len(fruits), -1, -1)
        answers, _ = self.pool(asked, seen, seen, key_padding_mask=free, need_weights=False)
        return self.price(self.norm(answers)).squeeze(1)


def main():
    torch.manual_seed(19)
    generator = torch.Generator().manual_seed(19)
    fruits, free, worth = crates(2400, generator)
    worth = (worth - worth[:2000].mean()) / worth[:2000].std()
    appraiser = Appraiser()
    optimizer = torch.optim.AdamW(appraiser.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=24 * 40)
    for epoch in range(24):
        appraiser.train()
        for rows in torch.randperm(2000).split(50):
            error = nn.functional.smooth_l1_loss(appraiser(fruits[rows], free[rows]), worth[rows])
            optimizer.zero_grad(set_to_none=True)
            error.backward()
            optimizer.step()
            schedule.step()
        appraiser.eval()
        with torch.inference_mode():
            guess = appraiser(fruits[2000:], free[2000:])
            new = nn.functional.smooth_l1_loss(guess, worth[2000:])
        print(f"{epoch:2d} error {error.item():.4f}, new crates {new.item():.4f}")
    return appraiser, optimizer


if __name__ == "__main__":
    main()
