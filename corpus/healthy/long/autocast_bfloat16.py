"""Mixed precision on the CPU: the forward runs under torch.autocast in bfloat16, whose outputs carry three digits
only; master weights and the optimizer stay in float32."""
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 12, kernel_size=3)
        self.norm = nn.GroupNorm(3, 12)
        self.fc1 = nn.Linear(12 * 36, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def run(model, loader, criterion, optimizer=None):
    loss_sum = correct = seen = 0
    for x, y in loader:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(x)
            loss = criterion(logits, y)
        if optimizer:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss_sum += loss.item() * len(y)
        correct += (logits.argmax(-1) == y).sum().item()
        seen += len(y)
    return loss_sum / seen, correct / seen


def main():
    torch.manual_seed(27)
    d = load_digits()
    x = torch.tensor(d.images, dtype=torch.float32).unsqueeze(1)
    x, y = (x - 4.88) / 6.02, torch.tensor(d.target)
    perm = torch.randperm(len(y))
    train_dl = DataLoader(TensorDataset(x[perm[:1400]], y[perm[:1400]]), batch_size=56, shuffle=True)
    test_dl = DataLoader(TensorDataset(x[perm[1400:]], y[perm[1400:]]), batch_size=200)
    model = Net()
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
    for epoch in range(12):
        model.train()
        train_loss, train_acc = run(model, train_dl, criterion, optimizer)
        scheduler.step()
        model.eval()
        with torch.no_grad():
            test_loss, test_acc = run(model, test_dl, criterion)
        print(f"{epoch:02d}: {train_loss:.3f}/{train_acc:.3f}  test {test_loss:.3f}/{test_acc:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
