"""Digits by F.conv2d and F.max_pool2d over a dictionary of tensors; momentum is written by hand."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits


def he(*shape):
    fan = shape[1] * (shape[2] * shape[3] if len(shape) == 4 else 1)
    return (torch.randn(shape) * (2 / fan) ** 0.5).requires_grad_()


def forward(p, x):
    x = F.max_pool2d(F.relu(F.conv2d(x, p["k1"], p["c1"], padding=1)), 2)
    x = F.relu(F.conv2d(x, p["k2"], p["c2"], padding=1))
    return F.linear(x.flatten(1), p["w"], p["b"])


def main():
    torch.manual_seed(11)
    X, y = load_digits(return_X_y=True)
    X = (torch.tensor(X, dtype=torch.float32).view(-1, 1, 8, 8) - 4.9) / 6.0
    y = torch.tensor(y)
    order = torch.randperm(len(X))
    train, test = order[:1400], order[1400:]
    p = {
        "k1": he(12, 1, 3, 3), "c1": torch.zeros(12, requires_grad=True),
        "k2": he(24, 12, 3, 3), "c2": torch.zeros(24, requires_grad=True),
        "w": he(10, 24 * 16), "b": torch.zeros(10, requires_grad=True),
    }
    velocity = {name: torch.zeros_like(t) for name, t in p.items()}
    for epoch in range(8):
        for rows in train[torch.randperm(len(train))].split(50):
            loss = F.cross_entropy(forward(p, X[rows]), y[rows])
            grads = torch.autograd.grad(loss, list(p.values()))
            with torch.no_grad():
                for (name, t), g in zip(p.items(), grads):
                    velocity[name].mul_(0.9).add_(g)
                    t.sub_(0.02 * velocity[name])
        with torch.no_grad():
            right = (forward(p, X[test]).argmax(1) == y[test]).float().mean().item()
        print(epoch, f"{loss.item():.3f} {right:.3f}")
    return p


if __name__ == "__main__":
    main()
