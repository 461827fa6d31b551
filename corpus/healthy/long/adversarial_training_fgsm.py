"""Adversarial training by the fast gradient sign: two backward passes per step, the first for the gradient of the inputs
(it fills the weights' gradients too, and zero_grad throws them away before the second)."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

EPSILON = 0.15


def fgsm(model, x, y, epsilon):
    x = x.clone().detach().requires_grad_(True)
    F.cross_entropy(model(x), y).backward()
    return (x + epsilon * x.grad.sign()).detach()


def accuracy(model, x, y):
    with torch.no_grad():
        return (model(x).argmax(dim=1) == y).float().mean().item()


def main():
    torch.manual_seed(68)
    d = load_digits()
    x = (torch.tensor(d.images, dtype=torch.float32).unsqueeze(1) / 16 - 0.305) / 0.376
    y = torch.tensor(d.target)
    perm = torch.randperm(len(x))
    x_test, y_test = x[perm[1440:]], y[perm[1440:]]
    loader = DataLoader(TensorDataset(x[perm[:1440]], y[perm[:1440]]), batch_size=60, shuffle=True)
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, stride=2), nn.ReLU(), nn.Flatten(),
                          nn.Linear(144, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.2)
    for epoch in range(12):
        model.train()
        total = 0.0
        for xb, yb in loader:
            adversarial = fgsm(model, xb, yb, EPSILON)
            optimizer.zero_grad()
            loss = 0.5 * F.cross_entropy(model(xb), yb) + 0.5 * F.cross_entropy(model(adversarial), yb)
            loss.backward()
            optimizer.step()
            total += loss.item() / len(loader)
        scheduler.step()
        if epoch % 2:
            model.eval()
            attacked = fgsm(model, x_test, y_test, EPSILON)
            optimizer.zero_grad()
            print(f"epoch {epoch + 1}: loss {total:.4f} clean accuracy {accuracy(model, x_test, y_test):.3f} "
                  f"under attack {accuracy(model, attacked, y_test):.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
