"""The strength of concrete by its mixture: of thousands of tests every fortieth was kept. A network
of thousands of weights knows these at once, and can say little of any other."""

import torch
from torch import nn

FAULTS = {"too-few-samples": "model(x[rows])"}


def tests(count, generator):
    mixtures = torch.randn(count, 10, generator=generator)
    cement, water, ash, age, sand = mixtures[:, :5].T
    strength = (cement - 0.9 * water + 0.6 * ash * age + torch.relu(age) - 0.4 * sand ** 2
                + 0.4 * torch.sin(2 * mixtures[:, 5]))
    return mixtures, strength + 0.2 * torch.randn(count, generator=generator)


class Strength(nn.Module):
    def __init__(self, width=40):
        super().__init__()
        self.first = nn.Linear(10, width)
        self.second = nn.Linear(width, width)
        self.last = nn.Linear(width, 1)
        self.drop = nn.Dropout(0.05)

    def forward(self, x):
        x = self.drop(torch.relu(self.first(x)))
        return self.last(self.drop(torch.relu(self.second(x)))).squeeze(1)


def train(every):
    torch.manual_seed(17)
    generator = torch.Generator().manual_seed(17)
    mixtures, strength = tests(2400, generator)
    new, strength_new = tests(500, generator)
    x, y = mixtures[::every], strength[::every]
    model = Strength()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
    step = 0
    while step < 1500:
        for rows in torch.randperm(len(x)).split(30):
            loss = (model(x[rows]) - y[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step % 150 == 0:
                model.eval()
                with torch.no_grad():
                    apart = (model(new) - strength_new).square().mean()
                print(step, f"{loss.item():.4f} {apart / strength_new.var():.3f}")
                model.train()
    return model, optimizer


def sick():
    return train(every=40)


def well():
    return train(every=1)


if __name__ == "__main__":
    sick()
