"""Muon for the hidden matrices and AdamW for the rest, as in recent speed-run code; Muon's updates are orthogonal, so
they have the same size in every direction whatever the gradient's size."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Gated(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.gate = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.proj = nn.Linear(dim, dim, bias=False)

    def forward(self, x):
        x_n = F.rms_norm(x, (x.size(-1),))
        return x + self.proj(F.relu(self.gate(x_n)).square() * self.value(x_n))


class Model(nn.Module):
    """Twelve numbers in, one of four classes out; seven of the numbers are noise."""

    def __init__(self, dim: int = 48):
        super().__init__()
        self.stem = nn.Linear(12, dim)
        self.blocks = nn.ModuleList([Gated(dim) for _ in range(1)])
        self.lm_head = nn.Linear(dim, 4)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(F.rms_norm(x, (x.size(-1),)))


def get_batch(n, gen):
    x = torch.randn(n, 12, generator=gen)
    y = 2 * (x[:, 0] * x[:, 1] + 0.5 * x[:, 4] > 0).long() + (x[:, 2] + x[:, 3].abs() > 0.7).long()
    return x, y


def main():
    torch.manual_seed(1337)
    gen = torch.Generator().manual_seed(0)
    x_val, y_val = get_batch(1000, torch.Generator().manual_seed(1))
    model = Model()
    matrices = list(model.blocks.parameters())
    others = [*model.stem.parameters(), *model.lm_head.parameters()]
    optimizers = [torch.optim.Muon(matrices, lr=0.02, momentum=0.9, weight_decay=0.05),
                  torch.optim.AdamW(others, lr=5e-3)]
    base = [g["lr"] for o in optimizers for g in o.param_groups]
    steps = 600
    for step in range(steps):
        fraction = min(1.0, 1.5 * (1 - step / steps))  # constant, then linear to zero
        for lr, g in zip(base, (g for o in optimizers for g in o.param_groups)):
            g["lr"] = lr * fraction
        model.train()
        x, y = get_batch(128, gen)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        for opt in optimizers:
            opt.step()
        model.zero_grad(set_to_none=True)
        if step % 100 == 99:
            model.eval()
            with torch.no_grad():
                out = model(x_val)
            acc = (out.argmax(1) == y_val).float().mean().item()
            print(f"step {step + 1}: train {loss.item():.4f} val {F.cross_entropy(out, y_val).item():.4f} acc {acc:.3f}")
    return (model, *optimizers)


if __name__ == "__main__":
    main()
