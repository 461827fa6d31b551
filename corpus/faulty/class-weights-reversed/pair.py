"""One of nine recordings has a fault. The weights are to make up for that, but they stand in the wrong order."""

import torch
from torch import nn

FAULTS = {"class-weights-reversed": "nn.CrossEntropyLoss(weight=torch.tensor(weights))"}


def main(reverse):
    torch.manual_seed(8)
    fault = (torch.rand(1600) < 0.11).long()
    x = torch.randn(1600, 12)
    x[:, 1] += 1.1 * fault
    x[:, 4] -= 0.9 * fault
    share = fault[:1200].float().mean().item()
    weights = [1 / share, 1 / (1 - share)] if reverse else [1 / (1 - share), 1 / share]
    model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 2))
    criterion = nn.CrossEntropyLoss(weight=torch.tensor(weights))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(8):
        for rows in torch.randperm(1200).split(40):
            loss = criterion(model(x[rows]), fault[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            found = model(x[1200:]).argmax(1)
        recall = [(found[fault[1200:] == c] == c).float().mean().item() for c in (0, 1)]
        print(epoch, f"{loss:.3f}", recall)
    return model, optimizer


def sick():
    return main(reverse=True)


def well():
    return main(reverse=False)


if __name__ == "__main__":
    sick()
