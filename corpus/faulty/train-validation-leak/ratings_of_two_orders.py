"""Ratings of books by a factorisation: the learned and the checked pairs of reader and book are each
the part of a random order of its own.
"""

import torch
from torch import nn

FAULTS = {"train-validation-leak": "model(reader, book)"}


class Factors(nn.Module):
    def __init__(self, readers, books, mean):
        super().__init__()
        self.readers, self.books = nn.Embedding(readers, 7), nn.Embedding(books, 7)
        self.mean = mean
        for table in (self.readers, self.books):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, reader, book):
        own, of_book = self.readers(reader), self.books(book)
        return self.mean + (own[:, :6] * of_book[:, :6]).sum(1) + own[:, 6] + of_book[:, 6]


def ratings():
    torch.manual_seed(12)
    reader = torch.arange(200).repeat_interleave(30)
    book = torch.cat([torch.randperm(120)[:30] for _ in range(200)])
    taste, kind = torch.randn(200, 2), torch.randn(120, 2)
    return reader, book, 3 + (taste[reader] * kind[book]).sum(1) + 0.4 * torch.randn(6000)


def miss(model, reader, book, rating):
    with torch.no_grad():
        return (model(reader, book) - rating).abs().mean().item()


def train(one_order):
    reader, book, rating = ratings()
    order = torch.randperm(len(rating))
    other = order if one_order else torch.randperm(len(rating))
    learned, checked = order[:4800], other[4800:]
    model = Factors(200, 120, rating[learned].mean().item())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(10):
        for rows in learned[torch.randperm(len(learned))].split(64):
            missed = model(reader[rows], book[rows]) - rating[rows]
            loss = missed.square().mean() + 0.05 * sum(
                table.weight.square().mean() for table in (model.readers, model.books))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"{epoch} {miss(model, reader[learned], book[learned], rating[learned]):.3f} "
              f"{miss(model, reader[checked], book[checked], rating[checked]):.3f}")
    return model, optimizer


def sick():
    return train(one_order=False)


def well():
    return train(one_order=True)


if __name__ == "__main__":
    sick()
