"""Which crop grows on a field, by the bands of a satellite. A feed hands out batches one by one,
but begins its loader anew for each: within an epoch, all of them are the first."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

FAULTS = {"same-batch-every-step": "next(iter(self.loader))"}

EPOCHS, BATCHES = 6, 50


class ByEpoch(Sampler):
    """A permutation that is the same again when the epoch is run again."""

    def __init__(self, size):
        self.size = size
        self.epoch = 0

    def __len__(self):
        return self.size

    def __iter__(self):
        order = torch.Generator().manual_seed(1000 + self.epoch)
        return iter(torch.randperm(self.size, generator=order).tolist())


class Feed:
    def __init__(self, fields, batch_size):
        self.sampler = ByEpoch(len(fields))
        self.loader = DataLoader(fields, batch_size=batch_size, sampler=self.sampler)

    def begin(self, epoch):
        self.sampler.epoch = epoch

    def next_batch(self):
        return next(iter(self.loader))


class KeptFeed(Feed):
    def begin(self, epoch):
        super().begin(epoch)
        self.batches = iter(self.loader)

    def next_batch(self):
        return next(self.batches)


def fields(count):
    g = torch.Generator().manual_seed(21)
    crop = torch.randint(0, 5, (count,), generator=g)
    bands = torch.randn(5, 3, 8, generator=g)
    kind = torch.randint(0, 3, (count,), generator=g)
    return bands[crop, kind] + 0.9 * torch.randn(count, 8, generator=g), crop


def train(feed_of):
    torch.manual_seed(21)
    bands, crop = fields(2400)
    known = TensorDataset(bands[:1600], crop[:1600])
    feed = feed_of(known, batch_size=32)
    model = nn.Sequential(
        nn.Linear(8, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 5))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(EPOCHS):
        feed.begin(epoch)
        model.train()
        for _ in range(BATCHES):
            seen, grown = feed.next_batch()
            loss = nn.functional.cross_entropy(model(seen), grown)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            logits = model(bands[1600:])
            rest = nn.functional.cross_entropy(logits, crop[1600:]).item()
            right = (logits.argmax(1) == crop[1600:]).float().mean().item()
        print(f"epoch {epoch}: {loss.item():.3f}, other fields {rest:.3f}, {right:.0%} right")
    return model, optimizer


def sick():
    return train(Feed)


def well():
    return train(KeptFeed)


if __name__ == "__main__":
    sick()
