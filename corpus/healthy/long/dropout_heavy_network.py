"""Half of all units dropped in both wide hidden layers and a fifth of the inputs: training loss and accuracy look poor,
validation in eval mode is excellent."""
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit
from torch import nn, optim
from torch.utils.data import DataLoader, Subset, TensorDataset


class DropoutNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Dropout(0.2), nn.Linear(64, 256), nn.ReLU(),
            nn.Dropout(0.5), nn.Linear(256, 256), nn.ReLU(),
            nn.Dropout(0.5), nn.Linear(256, 10),
        )


def run_eval(model, loader, criterion):
    model.eval()
    total, right = 0.0, 0
    with torch.no_grad():
        for xb, yb in loader:
            out = model(xb)
            total += criterion(out, yb).item() * len(xb)
            right += (out.argmax(1) == yb).sum().item()
    return total / len(loader.dataset), right / len(loader.dataset)


def main():
    torch.manual_seed(53)
    x, y = load_digits(return_X_y=True)
    train_idx, val_idx = next(StratifiedShuffleSplit(1, test_size=0.2, random_state=53).split(x, y))
    dataset = TensorDataset((torch.tensor(x).float() - 4.9) / 6.0, torch.tensor(y))
    train = DataLoader(Subset(dataset, train_idx), batch_size=32, shuffle=True)
    val = DataLoader(Subset(dataset, val_idx), batch_size=360)
    model = DropoutNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.08, epochs=22, steps_per_epoch=len(train))
    for epoch in range(22):
        model.train()
        loss_sum = 0.0
        for xb, yb in train:
            loss = criterion(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            loss_sum += loss.item()
        if epoch % 4 == 1:
            val_loss, val_acc = run_eval(model, val, criterion)
            print(f"epoch {epoch}: train (dropout on) {loss_sum / len(train):.4f} val {val_loss:.4f} acc {val_acc:.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
