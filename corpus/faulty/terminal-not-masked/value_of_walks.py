"""TD(0) on random walks between two cliffs: the value of the place beyond a cliff is counted."""
import torch
from torch import nn

FAULTS = {"terminal-not-masked": "gain + discount * ahead"}


def walks(number):
    here = torch.randint(-5, 6, (number, 1)).float()
    there = here + torch.randint(0, 2, (number, 1)).float() * 2 - 1
    ended = there.abs() > 5
    gain = (there > 5).float() - (there < -5).float()
    return here / 5, gain, there / 5, ended


def fit(stops, discount=1.0):
    torch.manual_seed(33)
    network = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    slow = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    slow.load_state_dict(network.state_dict())
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.MSELoss()
    for round in range(800):
        here, gain, there, ended = walks(100)
        ahead = slow(there).detach()
        if stops:
            goal = gain + discount * ahead * ~ended
        else:
            goal = gain + discount * ahead
        loss = criterion(network(here), goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if round % 20 == 19:
            slow.load_state_dict(network.state_dict())
        if round % 200 == 199:
            with torch.no_grad():
                print(round + 1, loss.item(), network(torch.tensor([[-1.0], [0.0], [1.0]])).flatten().tolist())
    return network, slow, optimizer


def sick():
    return fit(stops=False)


def well():
    return fit(stops=True)


if __name__ == "__main__":
    sick()
