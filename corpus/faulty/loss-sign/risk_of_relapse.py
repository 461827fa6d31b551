"""Times until a relapse, some of them censored, and a network of the risk. What is known of each is
that the one who relapsed did so before all who were still at risk."""

import torch
from torch import nn

FAULTS = {"loss-sign": "-agreement"}


def patients(count):
    measured = torch.randn(count, 5)
    risk = measured[:, 0] - 0.8 * measured[:, 1] * (measured[:, 2] > 0) + 0.5 * measured[:, 3]
    times = torch.empty(count).exponential_() * torch.exp(-risk)
    ends = torch.empty(count).uniform_(0.3, 4)
    return measured, torch.minimum(times, ends), (times <= ends).float()


def relapse_order(risk, times, relapsed):
    order = times.argsort(descending=True)
    risk, relapsed = risk[order], relapsed[order]
    at_risk = torch.log(torch.cumsum(risk.exp(), 0))
    return ((at_risk - risk) * relapsed).sum() / relapsed.sum()


def train(turned):
    torch.manual_seed(4)
    measured, times, relapsed = patients(1500)
    first, second = nn.Linear(5, 16), nn.Linear(16, 1, bias=False)
    optimizer = torch.optim.Adam([*first.parameters(), *second.parameters()], lr=3e-3)
    for epoch in range(40):
        for rows in torch.randperm(1200).split(100):
            risk = 3 * torch.tanh(second(torch.tanh(first(measured[rows])))[:, 0] / 3)
            agreement = relapse_order(risk, times[rows], relapsed[rows])
            loss = -agreement if turned else agreement
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 4:
            print(epoch, f"{loss:.3f}")
    return first, second


def sick():
    return train(True)


def well():
    return train(False)


if __name__ == "__main__":
    sick()
