"""Course-style MLP on the 8x8 digits with dropout. Nothing is suspicious: the plainest healthy program."""
import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        x = self.dropout(self.relu(self.fc1(x)))
        x = self.dropout(self.relu(self.fc2(x)))
        return self.fc3(x)


def main():
    torch.manual_seed(0)
    X, y = load_digits(return_X_y=True)
    X = (X / 16.0 - 0.305) / 0.376
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)

    train_set = TensorDataset(torch.tensor(X_train, dtype=torch.float32), torch.tensor(y_train))
    test_set = TensorDataset(torch.tensor(X_test, dtype=torch.float32), torch.tensor(y_test))
    train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=128)

    model = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=15, gamma=0.2)

    for epoch in range(26):
        model.train()
        running_loss = 0.0
        for inputs, labels in train_loader:
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item() * len(labels)

        scheduler.step()

        model.eval()
        correct, val_loss = 0, 0.0
        with torch.no_grad():
            for inputs, labels in test_loader:
                outputs = model(inputs)
                val_loss += criterion(outputs, labels).item() * len(labels)
                correct += (outputs.argmax(dim=1) == labels).sum().item()
        if epoch % 5 == 0:
            print(
                f"Epoch {epoch + 1}: train loss {running_loss / len(train_set):.4f}, "
                f"val loss {val_loss / len(test_set):.4f}, val acc {correct / len(test_set):.3f}"
            )
    return model, optimizer


if __name__ == "__main__":
    main()
