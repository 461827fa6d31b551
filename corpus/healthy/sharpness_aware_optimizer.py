"""Sharpness-aware minimisation with a hand-written Optimizer class: weights are pushed uphill, a second backward runs
there, and the step is taken from the old place. Two backward passes and two zero_grad per update."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class SAM(torch.optim.Optimizer):
    def __init__(self, params, base_optimizer, rho=0.05, **kwargs):
        super().__init__(params, dict(rho=rho, **kwargs))
        self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def first_step(self):
        norm = torch.norm(torch.stack([p.grad.norm() for g in self.param_groups for p in g["params"]]))
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["old"] = p.clone()
                p.add_(p.grad, alpha=(group["rho"] / (norm + 1e-12)).item())
        self.zero_grad()

    @torch.no_grad()
    def second_step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.copy_(self.state[p]["old"])
        self.base_optimizer.step()
        self.zero_grad()

    def step(self, closure=None):
        raise NotImplementedError("call first_step and second_step")


def main():
    torch.manual_seed(59)
    digits = load_digits()
    x = (torch.tensor(digits.data, dtype=torch.float32) / 16 - 0.305) / 0.376
    y = torch.tensor(digits.target)
    p = torch.randperm(len(x))
    x, y = x[p], y[p]
    model = nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 10))
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.1, lr=0.05, momentum=0.9, weight_decay=1e-3)
    epochs = 14
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * (1 - epoch / epochs)
        model.train()
        total = 0.0
        for idx in torch.randperm(1400).split(40):
            loss = F.cross_entropy(model(x[idx]), y[idx])
            loss.backward()
            optimizer.first_step()
            F.cross_entropy(model(x[idx]), y[idx]).backward()
            optimizer.second_step()
            total += loss.item() / 35
        if epoch % 3 == 1:
            model.eval()
            with torch.no_grad():
                out = model(x[1400:])
                acc = (out.argmax(1) == y[1400:]).float().mean().item()
            print(f"epoch {epoch}: train {total:.4f} test {F.cross_entropy(out, y[1400:]).item():.4f} acc {acc:.3f}")
    return model, optimizer.base_optimizer


if __name__ == "__main__":
    main()
