"""Four small batches for each update, each loss divided by four, the rest of an epoch with its own divisor."""
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Standardise:
    def fit(self, x):
        self.m, self.s = x.mean(0), x.std(0)
        return self

    def __call__(self, x):
        return (x - self.m) / self.s


def main():
    torch.manual_seed(13)
    data, target = load_breast_cancer(return_X_y=True)
    x, y = torch.tensor(data, dtype=torch.float32), torch.tensor(target, dtype=torch.float32)[:, None]
    p = torch.randperm(len(x))
    train, test = p[:420], p[420:]
    scale = Standardise().fit(x[train])
    loader = DataLoader(TensorDataset(scale(x[train]), y[train]), batch_size=8, shuffle=True)
    model = nn.Sequential(nn.Linear(30, 32), nn.SiLU(), nn.Dropout(0.2), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    lossfn = nn.BCEWithLogitsLoss()
    every, updates = 4, 0
    for epoch in range(25):
        model.train()
        optimizer.zero_grad()
        for i, (a, b) in enumerate(loader):
            group = min(every, len(loader) - i // every * every)
            loss = lossfn(model(a), b) / group
            loss.backward()
            if (i + 1) % every == 0 or i + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
                updates += 1
        model.eval()
        with torch.no_grad():
            out = model(scale(x[test]))
            acc = ((out > 0).float() == y[test]).float().mean().item()
            if epoch % 6 == 0:
                print(epoch, "updates", updates, f"loss {loss.item() * group:.3f} test {lossfn(out, y[test]).item():.3f} acc {acc:.3f}")
    return model, optimizer
