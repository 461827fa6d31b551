"""Walks of different lengths in batches of one length each. The shortest walks have one form only,
so their batches hold the same input for every sample."""

import torch
from torch import nn

EPOCHS, BATCH = 25, 32


def walk():
    pairs = int(torch.randint(1, 8, ()))
    height, steps = 0, []
    for left in range(2 * pairs, 0, -1):
        up = height == 0 or (height < left and bool(torch.rand(()) < 0.5))
        steps.append(0 if up else 1)
        height += 1 if up else -1
    return torch.tensor(steps)


class Area(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.Embedding(2, 6)
        self.read = nn.GRU(6, 32, batch_first=True)
        self.area = nn.Linear(32, 1)

    def forward(self, walks):
        return self.area(self.read(self.steps(walks))[1][0])[:, 0]


def main():
    torch.manual_seed(12)
    walks = [walk() for _ in range(700)]
    areas = [float((1 - 2 * steps).cumsum(0).sum()) / 10 for steps in walks]
    buckets = {}
    for number, steps in enumerate(walks):
        buckets.setdefault(len(steps), []).append(number)
    model = Area()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(EPOCHS):
        batches = []
        for numbers in buckets.values():
            order = torch.randperm(len(numbers)).tolist()
            batches += [[numbers[i] for i in order[first:first + BATCH]]
                        for first in range(0, len(order), BATCH)]
        for place in torch.randperm(len(batches)).tolist():
            rows = batches[place]
            given = torch.stack([walks[row] for row in rows])
            wanted = torch.tensor([areas[row] for row in rows])
            loss = nn.functional.mse_loss(model(given), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: {loss.item():.4f}")
    return model, optimizer


if __name__ == "__main__":
    main()
