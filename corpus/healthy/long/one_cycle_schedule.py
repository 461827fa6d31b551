"""One-cycle schedule stepped per batch (which OneCycleLR wants): the rate starts low, peaks at a third of the
run and ends at nearly nothing; momentum moves the opposite way."""
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def get_loaders(batch_size=40):
    features, target = load_digits(return_X_y=True)
    a, b, c, d = train_test_split(features, target, test_size=300, random_state=11, stratify=target)
    scaler = MinMaxScaler((-1, 1)).fit(a)
    a, b = (torch.tensor(scaler.transform(m), dtype=torch.float32) for m in (a, b))
    c, d = torch.tensor(c), torch.tensor(d)
    return (
        DataLoader(TensorDataset(a, c), batch_size=batch_size, shuffle=True, drop_last=True),
        DataLoader(TensorDataset(b, d), batch_size=batch_size),
    )


def main():
    torch.manual_seed(99)
    train_dl, valid_dl = get_loaders()
    model = nn.Sequential(
        nn.Linear(64, 100), nn.BatchNorm1d(100), nn.ReLU(), nn.Dropout(0.1),
        nn.Linear(100, 50), nn.BatchNorm1d(50), nn.ReLU(),
        nn.Linear(50, 10),
    )
    epochs = 12
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.3, epochs=epochs, steps_per_epoch=len(train_dl))
    loss_func = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        for xb, yb in train_dl:
            loss = loss_func(model(xb), yb)
            loss.backward()
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        model.eval()
        with torch.no_grad():
            losses, nums = zip(*[(loss_func(model(xb), yb).item(), len(xb)) for xb, yb in valid_dl])
            acc = sum((model(xb).argmax(1) == yb).sum().item() for xb, yb in valid_dl) / sum(nums)
        val_loss = sum(a * b for a, b in zip(losses, nums)) / sum(nums)
        print(epoch, f"lr={scheduler.get_last_lr()[0]:.4f}", f"train={loss.item():.4f} valid={val_loss:.4f} acc={acc:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
