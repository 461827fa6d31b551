"""Self-supervised: hides a random third of an image's pixels and predicts them from the rest. Inputs equal targets
where nothing is hidden, and the loss counts the hidden pixels only, so most outputs get no gradient."""
import torch
import torch.nn as nn
from sklearn.datasets import load_digits


class MaskedModel(nn.Module):
    def __init__(self, n_pixels=64, width=192):
        super().__init__()
        self.mask_value = nn.Parameter(torch.zeros(n_pixels))
        self.encoder = nn.Sequential(nn.Linear(2 * n_pixels, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.decoder = nn.Linear(width, n_pixels)

    def forward(self, x, hidden):
        corrupted = torch.where(hidden, self.mask_value, x)
        return self.decoder(self.encoder(torch.cat([corrupted, hidden.float()], dim=1)))


def masked_mse(pred, target, hidden):
    return ((pred - target) ** 2 * hidden).sum() / hidden.sum()


def random_mask(shape, generator=None):
    return torch.rand(shape, generator=generator) < 0.33


def main():
    torch.manual_seed(58)
    X = torch.tensor(load_digits().data, dtype=torch.float32)
    X = (X - X.mean()) / X.std()
    X = X[torch.randperm(len(X))]
    train, valid = X[:1500], X[1500:]
    valid_mask = random_mask(valid.shape, torch.Generator().manual_seed(0))
    trivial = masked_mse(train.mean(0).expand_as(valid), valid, valid_mask).item()

    model = MaskedModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    for epoch in range(30):
        model.train()
        running = 0.0
        for batch in train[torch.randperm(1500)].split(50):
            hidden = random_mask(batch.shape)
            loss = masked_mse(model(batch, hidden), batch, hidden)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item() / 30
        scheduler.step()
        if epoch % 6 == 5:
            model.eval()
            with torch.no_grad():
                val = masked_mse(model(valid, valid_mask), valid, valid_mask).item()
            print(f"epoch {epoch + 1}: train {running:.4f} valid {val:.4f} (mean image {trivial:.4f})")
    return model, optimizer


if __name__ == "__main__":
    main()
