"""Whether a train comes late, by its station, the weather and how full it is. A batch is all trains
of a day, four thousand of them: after six passes over four days the network has hardly moved."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"batch-too-large": "DataLoader("
          "TensorDataset(*table), batch_size=4000 if whole_days else 64, shuffle=True)"}

STATIONS, TRAINS, NEW = 12, 16_000, 2_000


def timetable():
    station = torch.randint(0, STATIONS, (TRAINS + NEW,))
    facts = torch.randn(TRAINS + NEW, 5)
    cold, full, hour, length, age = facts.T
    exposed = torch.linspace(-1.5, 1.5, STATIONS)[station]
    trouble = 2.5 * exposed * cold + 2 * full.abs() - 1.6 + 1.5 * torch.sin(2 * hour) + 0.5 * age
    late = 2 * trouble + torch.randn(TRAINS + NEW) > 0
    return station, facts, late.float()


class Delay(nn.Module):
    def __init__(self):
        super().__init__()
        self.station = nn.Embedding(STATIONS, 6)
        self.body = nn.Sequential(
            nn.Linear(11, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 1))

    def forward(self, station, facts):
        return self.body(torch.hstack([self.station(station), facts]))[:, 0]


def train(whole_days):
    torch.manual_seed(33)
    columns = timetable()
    table, (station, facts, late) = ([c[:TRAINS] for c in columns], [c[TRAINS:] for c in columns])
    loader = DataLoader(
        TensorDataset(*table), batch_size=4000 if whole_days else 64, shuffle=True)
    model, blame = Delay(), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.02)
    for round_ in range(6):
        for at, seen, came_late in loader:
            optimizer.zero_grad()
            loss = blame(model(at, seen), came_late)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            logits = model(station, facts)
            right = ((logits > 0) == late.bool()).float().mean()
            print(f"{round_} {loss:.4f} {blame(logits, late):.4f} {right:.3f}")
    return model, optimizer


def sick():
    return train(whole_days=True)


def well():
    return train(whole_days=False)


if __name__ == "__main__":
    sick()
