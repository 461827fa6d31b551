"""A sampler of one's own begins with the easiest fifth and takes in more each epoch, each epoch as long as the data
set; the pool is drawn from with replacement."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler, TensorDataset


class EasyFirst(Sampler):
    def __init__(self, hardness):
        self.order, self.part = hardness.argsort(), 0.2

    def __len__(self):
        return len(self.order)

    def __iter__(self):
        pool = self.order[:int(self.part * len(self.order))]
        self.part = min(1.0, self.part + 0.2)
        return iter(pool[torch.randint(len(pool), (len(self.order),))].tolist())


def main():
    torch.manual_seed(16)
    x = torch.randn(800, 6)
    noise = 0.4 * torch.rand(800)
    y = torch.tanh(x[:, 0] + x[:, 1] * x[:, 2]) + noise * torch.randn(800)
    loader = DataLoader(TensorDataset(x[:600], y[:600]), batch_size=32, sampler=EasyFirst(noise[:600]))
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-3)
    for epoch in range(10):
        for rows, values in loader:
            loss = nn.functional.mse_loss(model(rows).squeeze(1), values)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            print(epoch, f"{loss:.3f} {nn.functional.mse_loss(model(x[600:]).squeeze(1), y[600:]):.3f}")
    return model, optimizer
