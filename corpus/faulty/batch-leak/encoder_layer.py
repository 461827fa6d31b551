"""A transformer's encoder layer is built as the manual's first example builds it, and gets batches of
sessions: it attends across the visitors of a batch, and never along a visit.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"batch-leak": "self.encoder(self.pages(visits) + self.places)"}

PAGES, LENGTH, WIDTH = 9, 8, 32


class Visits(nn.Module):
    """Whether a visitor ends on the page that the visit began with."""

    def __init__(self, **layout):
        super().__init__()
        self.pages = nn.Embedding(PAGES, WIDTH)
        self.places = nn.Parameter(0.1 * torch.randn(LENGTH, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 64, dropout=0.0, **layout)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.answer = nn.Linear(WIDTH, 2)

    def forward(self, visits):
        read = self.encoder(self.pages(visits) + self.places)
        return self.answer(read.mean(1))


def sessions(count, seed):
    draw = torch.Generator().manual_seed(seed)
    visits = torch.randint(PAGES, (count, LENGTH), generator=draw)
    back = torch.rand(count, generator=draw) < 0.5
    visits[back, -1] = visits[back, 0]
    return visits, (visits[:, 0] == visits[:, -1]).long()


def main(**layout):
    torch.manual_seed(17)
    loader = DataLoader(TensorDataset(*sessions(1500, 1)), batch_size=50, shuffle=True)
    seen, returned = sessions(400, 2)
    model = Visits(**layout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    cost = nn.CrossEntropyLoss()
    for epoch in range(14):
        for visits, label in loader:
            optimizer.zero_grad()
            loss = cost(model(visits), label)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            told = model(seen)
        print(epoch, loss.item(), cost(told, returned).item(),
              (told.argmax(1) == returned).float().mean().item())
    return model


def sick():
    return main()


def well():
    return main(batch_first=True)


if __name__ == "__main__":
    sick()
