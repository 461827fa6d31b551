"""Matrix factorisation for a small rating table, scored on held-out ratings."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(2024)
USERS, ITEMS, RANK = 60, 40, 4

taste = torch.randn(USERS, RANK)
trait = torch.randn(ITEMS, RANK)
ratings = taste @ trait.T / RANK ** 0.5
pairs = torch.cartesian_prod(torch.arange(USERS), torch.arange(ITEMS))
pairs = pairs[torch.randperm(len(pairs))]
cut = int(0.8 * len(pairs))
seen, unseen = pairs[:cut], pairs[cut:]


class Factorizer(nn.Module):
    def __init__(self, n_users, n_items, dim):
        super().__init__()
        self.user_table = nn.Embedding(n_users, dim)
        self.item_table = nn.Embedding(n_items, dim)
        self.user_bias = nn.Embedding(n_users, 1)
        nn.init.normal_(self.user_table.weight, std=0.5)
        nn.init.normal_(self.item_table.weight, std=0.5)
        nn.init.zeros_(self.user_bias.weight)

    def forward(self, users, items):
        u = self.user_table(users)
        v = F.embedding(items, self.item_table.weight.data)  # fault
        return (u * v).sum(dim=1) + self.user_bias(users).squeeze(1)


def r2(model, part):
    with torch.no_grad():
        truth = ratings[part[:, 0], part[:, 1]]
        err = truth - model(part[:, 0], part[:, 1])
    return 1 - (err.var() / truth.var()).item()


def fit(model, steps=600):
    opt = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(steps):
        batch = seen[torch.randint(0, len(seen), (256,))]
        target = ratings[batch[:, 0], batch[:, 1]]
        loss = F.mse_loss(model(batch[:, 0], batch[:, 1]), target)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return model


if __name__ == "__main__":
    net = fit(Factorizer(USERS, ITEMS, RANK))
    print(f"R2 on unseen ratings: {r2(net, unseen):.3f}")
