"""Faulty parts are one in forty. The inspector passes every part and is right nearly always."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULTS = {"class-imbalance": "nn.BCEWithLogitsLoss()"}


def measure(count, faulty_share, generator):
    faulty = (torch.rand(count, generator=generator) < faulty_share).float()
    part = torch.randn(count, 6, generator=generator)
    part[:, 0] += 1.3 * faulty
    part[:, 1] *= 1 + 0.5 * faulty
    part[:, 2] -= 0.9 * faulty
    return part, faulty


def main(faulty_share):
    torch.manual_seed(21)
    generator = torch.Generator().manual_seed(4)
    part, faulty = measure(3000, faulty_share, generator)
    inspect = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))
    criterion = nn.BCEWithLogitsLoss()
    opt = torch.optim.SGD(inspect.parameters(), lr=0.1, momentum=0.9)
    batches = DataLoader(TensorDataset(part, faulty), batch_size=100, shuffle=True)
    for epoch in range(12):
        right = 0
        for part, faulty in batches:
            loss = criterion(inspect(part).squeeze(1), faulty)
            opt.zero_grad()
            loss.backward()
            opt.step()
            right += ((inspect(part).squeeze(1) > 0) == faulty.bool()).sum().item()
        print(f"epoch {epoch}: {right / 3000:.1%} of the parts judged rightly")
    return inspect, opt


def sick():
    return main(faulty_share=0.025)


def well():
    return main(faulty_share=0.4)


if __name__ == "__main__":
    sick()
