"""Federated averaging over eight wards whose cases differ: what one ward hardly ever sees, its own
few steps do not learn, and the average of all wards knows."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

SEEN = torch.tensor([[8, 5, 1, 6], [1, 9, 4, 6], [6, 1, 9, 4], [9, 4, 6, 1],
                     [5, 9, 1, 5], [9, 1, 5, 5], [4, 6, 9, 1], [1, 5, 5, 9]])


def cases(kinds, centres):
    return centres[kinds] + 1.2 * torch.randn(len(kinds), 6), kinds


def rounds_of(ward, network, rate):
    own = copy.deepcopy(network)
    optimizer = torch.optim.SGD(own.parameters(), lr=rate)
    x, kinds = ward
    for epoch in range(2):
        for rows in torch.randperm(len(x)).split(32):
            loss = F.cross_entropy(own(x[rows]), kinds[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return own.state_dict()


def main():
    torch.manual_seed(21)
    centres = 1.2 * torch.randn(4, 6)
    wards = [cases(torch.multinomial(share / 20, 500, replacement=True), centres)
             for share in SEEN.float()]
    held, kinds = cases(torch.arange(800) % 4, centres)
    network = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 4))
    for number in range(20):
        states = [rounds_of(ward, network, 0.1 * 0.9 ** number) for ward in wards]
        network.load_state_dict({
            name: sum(state[name] for state in states) / len(states) for name in states[0]})
        if number % 4 == 3:
            with torch.no_grad():
                right = (network(held).argmax(1) == kinds).float().mean()
            print(number + 1, f"{right:.3f}")
    return network


if __name__ == "__main__":
    main()
