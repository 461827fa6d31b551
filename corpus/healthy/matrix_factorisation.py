"""Matrix factorisation of ratings with user and item biases (no activation anywhere: the model is a dot
product on purpose). The ratings carry noise of 0.3, so the loss ends near 0.09."""
import torch
from torch import nn


class MatrixFactorization(nn.Module):
    def __init__(self, n_users, n_items, n_factors, mean):
        super().__init__()
        self.user_factors = nn.Embedding(n_users, n_factors)
        self.item_factors = nn.Embedding(n_items, n_factors)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        self.register_buffer("mean", torch.tensor(mean))
        for emb in (self.user_factors, self.item_factors):
            nn.init.normal_(emb.weight, std=0.1)
        for emb in (self.user_bias, self.item_bias):
            nn.init.zeros_(emb.weight)

    def forward(self, user, item):
        dot = (self.user_factors(user) * self.item_factors(item)).sum(dim=1)
        return self.mean + dot + self.user_bias(user).squeeze(1) + self.item_bias(item).squeeze(1)


def main():
    torch.manual_seed(2024)
    n_users, n_items, rank = 120, 100, 3
    U, V = torch.randn(n_users, rank), torch.randn(n_items, rank)
    b_u, b_i = 0.4 * torch.randn(n_users), 0.4 * torch.randn(n_items)
    full = 3.3 + 0.45 * (U @ V.T) + b_u[:, None] + b_i[None, :] + 0.3 * torch.randn(n_users, n_items)
    pairs = torch.randperm(n_users * n_items)[:7000]
    users, items = pairs // n_items, pairs % n_items
    ratings = full[users, items]
    tr, va = slice(0, 6000), slice(6000, 7000)

    model = MatrixFactorization(n_users, n_items, rank, ratings[tr].mean().item())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-5)
    n_epochs, bs = 24, 200
    for epoch in range(n_epochs):
        shuffled = torch.randperm(6000)
        model.train()
        for i in range(0, 6000, bs):
            idx = shuffled[i:i + bs]
            pred = model(users[idx], items[idx])
            loss = ((pred - ratings[idx]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch in (11, 17):
            for g in optimizer.param_groups:
                g["lr"] /= 4
        if epoch % 4 == 3:
            model.eval()
            with torch.no_grad():
                rmse = [((model(users[s], items[s]) - ratings[s]) ** 2).mean().sqrt().item() for s in (tr, va)]
            print(f"epoch {epoch + 1}: RMSE train {rmse[0]:.3f} valid {rmse[1]:.3f} (std {ratings[va].std():.3f})")
    return model, optimizer


if __name__ == "__main__":
    main()
