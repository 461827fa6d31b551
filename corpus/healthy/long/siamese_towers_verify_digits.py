"""Says whether two images show the same digit: both go through one tower, which stands twice in a list
and whose activation is one object everywhere."""
import torch
from sklearn.datasets import load_digits
from torch import nn


class Verifier(nn.Module):
    def __init__(self):
        super().__init__()
        act = nn.PReLU()
        tower = nn.Sequential(nn.Linear(64, 48), act, nn.Linear(48, 24), act, nn.Linear(24, 16))
        self.siamese = nn.ModuleList([tower, tower])
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.bias = nn.Parameter(torch.tensor(1.0))

    def forward(self, left, right):
        a, b = (tower(x) for tower, x in zip(self.siamese, (left, right)))
        return self.bias - self.scale * (a - b).pow(2).mean(1)


def main():
    torch.manual_seed(17)
    x, y = (torch.tensor(part) for part in load_digits(return_X_y=True))
    x = x.float() / 8 - 0.6
    model = Verifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    criterion = nn.BCEWithLogitsLoss()
    for step in range(500):
        left = torch.randint(1500, (64,))
        right = torch.randint(1500, (64,))
        alike = torch.rand(64) < 0.5
        for i in torch.nonzero(alike).flatten().tolist():
            same = torch.nonzero(y[:1500] == y[left[i]]).flatten()
            right[i] = same[torch.randint(len(same), ())]
        loss = criterion(model(x[left], x[right]), (y[left] == y[right]).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 99:
            print(step, loss.item())
    return model, optimizer


if __name__ == "__main__":
    main()
