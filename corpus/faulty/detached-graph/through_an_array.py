"""Points of a set are summed by a function of the program's own, which does it with NumPy. What embeds
the points never learns; what reads the sums does."""

import numpy as np
import torch
from torch import nn

FAULTS = {"detached-graph": "add_up(seen, owner, count)"}


def points(generator, sets=1200):
    sizes = torch.randint(3, 9, (sets,), generator=generator)
    owner = torch.repeat_interleave(torch.arange(sets), sizes)
    places = torch.randn(int(sizes.sum()), 2, generator=generator)
    worth = torch.sin(2 * places[:, 0]) * places[:, 1] + places[:, 0].abs()
    totals = torch.zeros(sets).index_add(0, owner, worth)
    return places, owner, (totals - totals.mean()) / totals.std()


def add_up(values, owner, count):
    sums = np.zeros((count, values.shape[1]), dtype=np.float32)
    np.add.at(sums, owner.numpy(), values.detach().numpy())
    return torch.from_numpy(sums)


def add_up_in_torch(values, owner, count):
    return torch.zeros(count, values.shape[1]).index_add(0, owner, values)


class Sets(nn.Module):
    def __init__(self, summed):
        super().__init__()
        self.summed = summed
        self.look = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 6))
        self.say = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, places, owner, count):
        seen = self.look(places)
        if self.summed:
            whole = add_up_in_torch(seen, owner, count)
        else:
            whole = add_up(seen, owner, count)
        return self.say(whole)[:, 0]


def train(summed):
    torch.manual_seed(30)
    places, owner, totals = points(torch.Generator().manual_seed(30))
    model = Sets(summed)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(24):
        for first in range(0, 1200, 60):
            mine = (owner >= first) & (owner < first + 60)
            said = model(places[mine], owner[mine] - first, 60)
            loss = nn.functional.mse_loss(said, totals[first:first + 60])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(epoch, f"{loss.item():.4f}")
    return model, optimizer


def sick():
    return train(summed=False)


def well():
    return train(summed=True)


if __name__ == "__main__":
    sick()
