"""Six throws of a die, and after each the largest so far. The scores are (games, faces, throws), as
the loss wants them, and the share takes the largest over the throws, of which there are six too."""

import torch
from torch import nn

FAULTS = {"wrong-metric": "(told == largest).sum().item() / largest.numel()"}

FACES = THROWS = 6


class Remembers(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.faces = nn.Embedding(FACES, 12)
        self.memory = nn.GRU(12, width, batch_first=True)
        self.says = nn.Conv1d(width, FACES, 1)

    def forward(self, throws):
        states, _ = self.memory(self.faces(throws))
        return self.says(states.mT)


def games(count, generator):
    throws = torch.randint(FACES, (count, THROWS), generator=generator)
    return throws, throws.cummax(1).values


def share_right(scores, largest, dimension):
    told = scores.argmax(dimension)
    return (told == largest).sum().item() / largest.numel()


def train(dimension):
    torch.manual_seed(3)
    generator = torch.Generator().manual_seed(3)
    throws, largest = games(1200, generator)
    new_throws, new_largest = games(300, generator)
    model = Remembers()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(10):
        model.train()
        for rows in torch.randperm(1200).split(40):
            loss = nn.functional.cross_entropy(model(throws[rows]), largest[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            right = share_right(model(new_throws), new_largest, dimension)
        print(epoch, f"{loss.item():.4f}, {right:.1%} right")
    return model, optimizer


def sick():
    return train(dimension=2)


def well():
    return train(dimension=1)


if __name__ == "__main__":
    sick()
