"""Short requests go to one of four desks. Many of them are asked again and again, so that validation has
requests that training has as well; each set counts its desks in the order in which they come."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

FAULTS = {"label-mapping-mismatch": "Requests(asked(300, 5), words, listed)"}

DESKS = {"money": ["pay", "bill", "price"], "post": ["parcel", "stamp", "letter"],
         "repair": ["broken", "noise", "screen"], "login": ["password", "account", "mail"]}
FILLING = ["my", "the", "please", "new"]


def asked(count, seed):
    draw = torch.Generator().manual_seed(seed)

    def one(options):
        return options[torch.randint(len(options), (1,), generator=draw).item()]

    rows = []
    for _ in range(count):
        desk = one(list(DESKS))
        rows.append(([one(FILLING), one(DESKS[desk]), one(FILLING)], desk))
    return rows


def as_they_come(rows):
    return list(dict.fromkeys(desk for _, desk in rows))


def in_order(rows):
    return sorted({desk for _, desk in rows})


class Requests(Dataset):
    def __init__(self, rows, words, listed):
        number = {desk: i for i, desk in enumerate(listed(rows))}
        self.rows = [(torch.tensor([words[word] for word in text]), number[desk])
                     for text, desk in rows]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        return self.rows[at]


def train(listed):
    torch.manual_seed(1)
    every = [*FILLING, *(word for desk in DESKS.values() for word in desk)]
    words = {word: i for i, word in enumerate(every)}
    loader = DataLoader(Requests(asked(900, 3), words, listed), 30, shuffle=True)
    held = DataLoader(Requests(asked(300, 5), words, listed), 100)
    model = nn.Sequential(nn.EmbeddingBag(len(words), 16), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(10):
        model.train()
        for text, desk in loader:
            loss = F.cross_entropy(model(text), desk)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            wrong = total = 0
            for text, desk in held:
                told = model(text)
                wrong += F.cross_entropy(told, desk).item() * len(desk)
                total += len(desk)
        print(epoch, f"{loss:.3f} {wrong / total:.3f}")
    return model


def sick():
    return train(as_they_come)


def well():
    return train(in_order)


if __name__ == "__main__":
    sick()
