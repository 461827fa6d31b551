"""AdamW with parameter groups as in GPT code: decay for matrices, none for biases and norms, a lower rate for the
stem. Three groups with different settings in one optimizer."""
from __future__ import annotations

import torch
from torch import Tensor, nn


class FeedForward(nn.Module):
    def __init__(self, dim: int, mult: int = 2) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.w_in = nn.Linear(dim, dim * mult)
        self.w_gate = nn.Linear(dim, dim * mult)
        self.w_out = nn.Linear(dim * mult, dim)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        return x + self.w_out(nn.functional.silu(self.w_gate(h)) * self.w_in(h))


class Regressor(nn.Module):
    def __init__(self, n_features: int, dim: int = 32, depth: int = 2) -> None:
        super().__init__()
        self.stem = nn.Linear(n_features, dim)
        self.layers = nn.ModuleList(FeedForward(dim) for _ in range(depth))
        self.out = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x)
        return self.out(x).squeeze(-1)


def configure_optimizer(model: Regressor, lr: float, weight_decay: float) -> torch.optim.AdamW:
    stem = list(model.stem.parameters())
    rest = [p for n, p in model.named_parameters() if not n.startswith("stem.")]
    return torch.optim.AdamW([
        {"params": [p for p in rest if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in rest if p.dim() < 2], "weight_decay": 0.0},
        {"params": stem, "weight_decay": 0.0, "lr": lr * 0.3},
    ], lr=lr)


def main():
    torch.manual_seed(2025)
    x = torch.randn(2600, 6)
    y = x[:, 0] * x[:, 1] + torch.sin(2 * x[:, 2]) + 0.5 * x[:, 3].abs() - 0.4 * x[:, 4] + 0.15 * torch.randn(2600)
    y = (y - y[:2000].mean()) / y[:2000].std()
    model = Regressor(6)
    optimizer = configure_optimizer(model, lr=5e-3, weight_decay=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=640)
    step = 0
    while step < 640:
        for idx in torch.randperm(2000).split(50):
            loss = nn.functional.mse_loss(model(x[idx]), y[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            step += 1
        if step % 160 == 0:
            with torch.no_grad():
                print(step, "train", nn.functional.mse_loss(model(x[:2000]), y[:2000]).item(),
                      "val", nn.functional.mse_loss(model(x[2000:]), y[2000:]).item())
    return model, optimizer


if __name__ == "__main__":
    main()
