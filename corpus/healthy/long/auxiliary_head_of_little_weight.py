"""The digit is what matters. A second head guesses at which second the picture was taken, which nobody can; it counts a
thousandth, as its author wanted, and never gets better."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
        self.digit, self.second = nn.Linear(64, 10), nn.Linear(64, 1)

    def forward(self, x):
        h = self.body(x)
        return self.digit(h), self.second(h)


def main():
    torch.manual_seed(33)
    d = load_digits()
    x, y = torch.tensor(d.data / 16, dtype=torch.float32), torch.tensor(d.target)
    seconds = torch.rand(len(x), 1)
    model = TwoHeads()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(15):
        for rows in torch.randperm(1500).split(50):
            digit, second = model(x[rows])
            main_loss = F.cross_entropy(digit, y[rows])
            aux_loss = F.mse_loss(second, seconds[rows])
            loss = main_loss + 0.001 * aux_loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            right = (model(x[1500:])[0].argmax(1) == y[1500:]).float().mean()
        print(epoch, f"{main_loss.item():.3f} {aux_loss.item():.3f} accuracy {right:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
