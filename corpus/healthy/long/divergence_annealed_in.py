"""A variational autoencoder with summed terms. The weight of the divergence rises from zero over the first half."""
import torch
from sklearn.datasets import load_digits
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(64, 96), nn.Tanh())
        self.mean, self.log_scale = nn.Linear(96, 5), nn.Linear(96, 5)
        self.decode = nn.Sequential(nn.Linear(5, 96), nn.Tanh(), nn.Linear(96, 64))

    def forward(self, x):
        h = self.encode(x)
        m, s = self.mean(h), self.log_scale(h)
        return self.decode(m + s.exp() * torch.randn_like(s)), m, s


def main():
    torch.manual_seed(9)
    x = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    model, criterion = Net(), nn.BCEWithLogitsLoss(reduction="sum")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    step, half = 0, 225
    for epoch in range(15):
        for rows in torch.randperm(1500).split(50):
            beta = min(1.0, step / half)
            logits, m, s = model(x[rows])
            fit = criterion(logits, x[rows]) / len(rows)
            divergence = (0.5 * (m ** 2 + torch.exp(2 * s) - 1) - s).sum() / len(rows)
            loss = fit + beta * divergence
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
        print(f"{epoch} beta {beta:.2f} fit {fit.item():.2f} divergence {divergence.item():.2f}")
    return model, optimizer


if __name__ == "__main__":
    main()
