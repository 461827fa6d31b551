"""Transformer encoder layer; the answer is read at the query token in front."""
import torch
from torch import nn

torch.manual_seed(12)


class QueryModel(nn.Module):
    def __init__(self, features=6, width=32, classes=3):
        super().__init__()
        self.lift = nn.Linear(features, width)
        self.query = nn.Parameter(torch.zeros(width))
        self.place = nn.Parameter(torch.randn(9, width) * 0.2)
        self.layer = nn.TransformerEncoderLayer(width, nhead=4, dim_feedforward=64, dropout=0.0)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        batch = x.shape[0]
        tokens = torch.cat([self.query.expand(batch, 1, -1), self.lift(x)], dim=1)
        tokens = self.layer(tokens + self.place)  # fault
        return self.head(tokens[:, 0])


def sample(n):
    y = torch.randint(0, 3, (n,))
    x = torch.randn(n, 8, 6)
    slot = torch.randint(0, 8, (n,))
    x[torch.arange(n), slot, y] += 4.0
    return x, y


def run():
    model = QueryModel()
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    xs, ys = sample(1500)
    for i in range(300):
        rows = torch.randint(0, 1500, (50,))
        loss = nn.functional.cross_entropy(model(xs[rows]), ys[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        if i % 100 == 0:
            print(i, round(loss.item(), 4))
    xt, yt = sample(400)
    model.eval()
    with torch.no_grad():
        return (model(xt).argmax(1) == yt).float().mean().item()


if __name__ == "__main__":
    print("accuracy", run())
