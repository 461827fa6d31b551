"""Multiple-instance learning: a bag of six digits is positive if it holds a nine; gated attention pools the
instances. Bags share instances, so single images recur although the bags differ."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class AttentionMIL(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, dim), nn.LayerNorm(dim))
        self.V = nn.Linear(dim, 16)
        self.U = nn.Linear(dim, 16)
        self.w = nn.Linear(16, 1)
        self.classifier = nn.Linear(dim, 1)

    def forward(self, bags):
        h = self.features(bags)
        a = self.w(torch.tanh(self.V(h)) * torch.sigmoid(self.U(h)))
        a = torch.softmax(a, dim=1)
        pooled = (a * h).sum(dim=1)
        return self.classifier(pooled).squeeze(-1), a.squeeze(-1)


def make_bags(x, y, n, gen, size=6):
    nines, others = torch.where(y == 9)[0], torch.where(y != 9)[0]
    index = others[torch.randint(len(others), (n, size), generator=gen)]
    label = torch.randint(0, 2, (n,), generator=gen)
    place = torch.randint(size, (n,), generator=gen)
    pick = nines[torch.randint(len(nines), (n,), generator=gen)]
    rows = torch.where(label == 1)[0]
    index[rows, place[rows]] = pick[rows]
    return x[index], label.float(), place


def main():
    torch.manual_seed(52)
    gen = torch.Generator().manual_seed(52)
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    x = (x - x.mean()) / x.std()
    p = torch.randperm(len(x))
    bags, labels, _ = make_bags(x[p[:1400]], y[p[:1400]], 2000, gen)
    test_bags, test_labels, place = make_bags(x[p[1400:]], y[p[1400:]], 300, gen)

    model = AttentionMIL()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 14)
    for epoch in range(14):
        model.train()
        total = 0.0
        for idx in torch.randperm(2000).split(40):
            logits, _ = model(bags[idx])
            loss = F.binary_cross_entropy_with_logits(logits, labels[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 50
        scheduler.step()
        if epoch % 3 == 1:
            model.eval()
            with torch.no_grad():
                logits, attention = model(test_bags)
                val = F.binary_cross_entropy_with_logits(logits, test_labels).item()
                acc = ((logits > 0) == (test_labels > 0)).float().mean().item()
                pos = test_labels == 1
                found = (attention[pos].argmax(1) == place[pos]).float().mean().item()
            print(f"epoch {epoch + 1}: train {total:.4f} test {val:.4f} acc {acc:.3f}, attention on the nine {found:.2f}")
    return model, optimizer


if __name__ == "__main__":
    main()
