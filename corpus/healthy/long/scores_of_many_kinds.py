"""Scores that look odd and are right: top-3, per class, masked, a running mean, one batch only, two labels a sample, R2 and AUC."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.metrics import r2_score, roc_auc_score
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
        self.digit, self.even, self.ink = nn.Linear(64, 10), nn.Linear(64, 1), nn.Linear(64, 2)

    def forward(self, x):
        h = self.body(x)
        return self.digit(h), self.even(h), self.ink(h)


def evaluate(model, x, y, even, flags, ink):
    accuracy, right, total, hits, masked, zeros_baseline_acc = 0.0, 0, 0, 0.0, [], (even == 0).float().mean().item()
    per_class = torch.zeros(10)
    with torch.no_grad():
        for i in range(0, len(x), 60):
            rows = slice(i, i + 60)
            digit, odd, two = model(x[rows])
            top = digit.topk(3, dim=1).indices
            hits += (top == y[rows, None]).any(1).float().sum().item()
            right += (digit.argmax(1) == y[rows]).sum().item()
            total += len(y[rows])
            accuracy = 0.9 * accuracy + 0.1 * (digit.argmax(1) == y[rows]).float().mean().item()
            per_class += torch.bincount(y[rows][digit.argmax(1) == y[rows]], minlength=10)
            sure = digit.softmax(1).max(1).values > 0.5
            masked.append((digit.argmax(1) == y[rows])[sure].float().mean().item())
        digit, odd, two = model(x)
        even_acc = ((odd.squeeze(1) > 0) == even.bool()).float().mean().item()
        strict_acc = (torch.sigmoid(odd.squeeze(1)).gt(0.9) == even.bool()).float().mean().item()
        flag_acc = ((two > 0) == flags.bool()).float().mean().item()
        auc = roc_auc_score(even.numpy(), odd.squeeze(1).numpy())
        r2 = r2_score(ink.numpy(), digit.logsumexp(1).numpy())
    return right / total, hits / total, accuracy, even_acc, strict_acc, flag_acc, auc, r2


def main():
    torch.manual_seed(6)
    d = load_digits()
    x, y = torch.tensor(d.data / 16, dtype=torch.float32), torch.tensor(d.target)
    ink = x.mean(1)
    even, flags = (y % 2 == 0).float(), torch.stack([ink > ink.mean(), y > 4], 1).float()
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(8):
        for rows in torch.randperm(1400).split(50):
            digit, odd, two = model(x[rows])
            loss = F.cross_entropy(digit, y[rows])
            loss = loss + F.binary_cross_entropy_with_logits(odd.squeeze(1), even[rows])
            loss = loss + F.binary_cross_entropy_with_logits(two, flags[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scores = evaluate(model, x[1400:], y[1400:], even[1400:], flags[1400:], ink[1400:])
        print(epoch, f"{loss.item():.3f}", [f"{score:.3f}" for score in scores])
    return model, optimizer


if __name__ == "__main__":
    main()
