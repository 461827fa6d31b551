"""Each split numbers its words by itself, so that a held-out word is another one's number: the
network reads sentences of other words than those that it was taught."""

import numpy as np
import torch
from torch import nn

FAULTS = {"train-validation-mismatch": "number(news, book if shared else {})"}
WORDS = np.array("the a of to in on at by for with sun rain wind snow fog warm cold wet dry mild storm "
                 "calm bright grey north south east west coast hill valley town".split())
FINE = {"sun", "warm", "dry", "mild", "calm", "bright"}


def sentences(count, generator):
    texts = []
    for _ in range(count):
        weights = 1 / np.arange(1, len(WORDS) + 1)
        texts.append(list(generator.choice(WORDS, 9, p=weights / weights.sum())))
    return texts, torch.tensor([float(sum(word in FINE for word in text) >= 2) for text in texts])


def number(texts, book):
    for text in texts:
        for word in text:
            book.setdefault(word, len(book))
    return torch.tensor([[book[word] for word in text] for text in texts])


def fit(shared):
    torch.manual_seed(14)
    generator = np.random.default_rng(14)
    (texts, labels), (news, truths) = sentences(900, generator), sentences(300, generator)
    book = {}
    known = number(texts, book)
    new = number(news, book if shared else {})
    net = nn.Sequential(nn.Embedding(len(WORDS), 12), nn.Flatten(), nn.Linear(9 * 12, 24), nn.ReLU(),
                        nn.Linear(24, 1), nn.Flatten(0))
    adam = torch.optim.Adam(net.parameters(), lr=2e-3)
    judge = nn.BCEWithLogitsLoss()
    for epoch in range(14):
        net.train()
        for rows in torch.randperm(len(known)).split(30):
            adam.zero_grad()
            judge(net(known[rows]), labels[rows]).backward()
            adam.step()
        net.eval()
        with torch.no_grad():
            guess = net(new)
            print(f"{epoch} {judge(guess, truths):.3f} {((guess > 0) == truths).float().mean():.3f}")
    return net, adam


def sick():
    return fit(shared=False)


def well():
    return fit(shared=True)


if __name__ == "__main__":
    sick()
