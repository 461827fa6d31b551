"""A radial basis function network: centres are drawn from the data, and centres, widths and output weights are
all trained. Most units are near zero for most samples, which is how it works."""
import torch
from sklearn.datasets import make_circles
from torch import nn


class RBF(nn.Module):
    def __init__(self, centres, n_out):
        super().__init__()
        self.centres = nn.Parameter(centres.clone())
        self.log_width = nn.Parameter(torch.full((len(centres),), -1.2))
        self.linear = nn.Linear(len(centres), n_out)

    def forward(self, x):
        d2 = (x[:, None, :] - self.centres[None]).pow(2).sum(-1)
        return self.linear(torch.exp(-d2 / (2 * torch.exp(2 * self.log_width))))


def main():
    torch.manual_seed(7)
    X, y = make_circles(1200, noise=0.08, factor=0.5, random_state=7)
    X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    Xt, yt, Xv, yv = X[:900], y[:900], X[900:], y[900:]
    model = RBF(Xt[torch.randperm(900)[:30]], 1)
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    bce = nn.BCEWithLogitsLoss()
    for epoch in range(30):
        for idx in torch.randperm(900).split(60):
            loss = bce(model(Xt[idx]).squeeze(-1), yt[idx])
            opt.zero_grad()
            loss.backward()
            opt.step()
        if epoch % 6 == 5:
            with torch.no_grad():
                out = model(Xv).squeeze(-1)
            print(epoch + 1, f"loss {loss.item():.3f} val {bce(out, yv).item():.3f} acc {((out > 0) == (yv > 0)).float().mean().item():.3f}")
    return model, opt
