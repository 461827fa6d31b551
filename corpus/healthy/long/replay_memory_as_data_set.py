"""A memory of moves that is written over in a ring while a loader draws from it: what it holds changes all the time,
by the game and not by being fetched. The value of a walk on a line is learned from its returns."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, RandomSampler


class Memory(Dataset):
    def __init__(self, size):
        self.states, self.returns, self.next = torch.zeros(size, 4), torch.zeros(size), 0

    def __len__(self):
        return len(self.states)

    def __getitem__(self, i):
        return self.states[i], self.returns[i]

    def put(self, states, returns):
        rows = (self.next + torch.arange(len(states))) % len(self)
        self.states[rows], self.returns[rows] = states, returns
        self.next = int(rows[-1]) + 1


def walk(length):
    place = torch.cumsum(torch.randn(length) * 0.4, 0).clamp(-3, 3)
    speed = torch.rand(length)
    states = torch.stack([place, place ** 2 / 3, speed, torch.sin(place)], 1)
    return states, torch.cos(place) + 0.5 * speed + 0.1 * torch.randn(length)


def main():
    torch.manual_seed(22)
    memory = Memory(400)
    memory.put(*walk(400))
    loader = DataLoader(memory, batch_size=40, sampler=RandomSampler(memory, replacement=True, num_samples=400))
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for round_ in range(14):
        memory.put(*walk(150))
        for states, returns in loader:
            loss = nn.functional.mse_loss(model(states).squeeze(1), returns)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(round_, loss.item())
    return model, optimizer
