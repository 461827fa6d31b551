"""A network that is much too large for its few samples and overfits; the weights of the best epoch are kept and
restored, so nothing is lost by it."""
import copy

import torch
from sklearn.datasets import load_diabetes
from torch import nn


def split(seed=0):
    X, y = load_diabetes(return_X_y=True)
    X = torch.tensor(X, dtype=torch.float32)
    y = torch.tensor(y, dtype=torch.float32).unsqueeze(1)
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(seed))
    X, y = X[order], y[order]
    X = (X - X[:150].mean(0)) / X[:150].std(0)
    y = (y - y[:150].mean()) / y[:150].std()
    return X[:150], y[:150], X[150:300], y[150:300], X[300:], y[300:]


def main():
    torch.manual_seed(4)
    Xtr, ytr, Xva, yva, Xte, yte = split()
    model = nn.Sequential(nn.Linear(10, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1))
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    mse = nn.MSELoss()
    best, best_epoch, best_state = float("inf"), -1, None
    for epoch in range(60):
        model.train()
        for idx in torch.randperm(len(Xtr)).split(25):
            opt.zero_grad()
            loss = mse(model(Xtr[idx]), ytr[idx])
            loss.backward()
            opt.step()
        model.eval()
        with torch.no_grad():
            val = mse(model(Xva), yva).item()
        if val < best:
            best, best_epoch, best_state = val, epoch, copy.deepcopy(model.state_dict())
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1} train {loss.item():.3f} val {val:.3f}")
    model.load_state_dict(best_state)
    with torch.no_grad():
        print(f"best epoch {best_epoch} val {best:.3f} test {mse(model(Xte), yte).item():.3f}")
    return model, opt
