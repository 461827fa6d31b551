"""The breast-cancer table goes in raw (features from 0.001 to 4000): a BatchNorm1d as the first layer does the
normalising, so that no layer with weights ever sees the raw scales."""
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from torch.utils.data import DataLoader, TensorDataset, random_split


def accuracy(model, loader):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        correct = sum((model(x).argmax(dim=1) == y).sum().item() for x, y in loader)
    model.train(was_training)
    return correct / len(loader.dataset)


def main():
    torch.manual_seed(3)
    table = load_breast_cancer()
    dataset = TensorDataset(torch.tensor(table.data, dtype=torch.float32), torch.tensor(table.target))
    train_set, test_set = random_split(dataset, [0.75, 0.25], generator=torch.Generator().manual_seed(0))
    train_loader = DataLoader(train_set, batch_size=32, shuffle=True, drop_last=True)
    test_loader = DataLoader(test_set, batch_size=64)

    model = nn.Sequential(
        nn.BatchNorm1d(30),
        nn.Linear(30, 24), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(24, 2),
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=20, gamma=0.2)

    model.train()
    for epoch in range(30):
        epoch_loss = 0.0
        for inputs, targets in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item() / len(train_loader)
        scheduler.step()
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1:2d} loss {epoch_loss:.4f} test accuracy {accuracy(model, test_loader):.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
