"""Adam at 3e-4, a small rate, on a wide GELU network with a run long enough for it. eval() is never called, but no
layer of the model knows the difference."""
import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

LEARNING_RATE = 3e-4
NUM_EPOCHS = 24
BATCH_SIZE = 50


class WideNet(nn.Module):
    """A single wide hidden layer."""

    def __init__(self, input_size, hidden_size, num_classes):
        super().__init__()
        self.l1 = nn.Linear(input_size, hidden_size)
        self.act = nn.GELU()
        self.l2 = nn.Linear(hidden_size, num_classes)

    def forward(self, x):
        out = self.l1(x)
        out = self.act(out)
        return self.l2(out)


def main():
    torch.manual_seed(31)
    X, y = make_classification(n_samples=4000, n_features=24, n_informative=12, n_classes=4, n_clusters_per_class=1,
                               class_sep=1.5, flip_y=0.02, random_state=31)
    X_tr, X_te, y_tr, y_te = train_test_split(X, y, test_size=0.25, random_state=31)
    scaler = StandardScaler().fit(X_tr)
    train_dataset = TensorDataset(torch.from_numpy(scaler.transform(X_tr)).float(), torch.from_numpy(y_tr))
    test_dataset = TensorDataset(torch.from_numpy(scaler.transform(X_te)).float(), torch.from_numpy(y_te))
    train_loader = DataLoader(dataset=train_dataset, batch_size=BATCH_SIZE, shuffle=True)
    test_loader = DataLoader(dataset=test_dataset, batch_size=500, shuffle=False)

    model = WideNet(24, 512, 4)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for epoch in range(NUM_EPOCHS):
        for i, (features, labels) in enumerate(train_loader):
            outputs = model(features)
            loss = criterion(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if (epoch + 1) % 4 == 0:
            with torch.no_grad():
                n_correct = n_samples = 0
                val_loss = 0.0
                for features, labels in test_loader:
                    outputs = model(features)
                    val_loss += criterion(outputs, labels).item() * labels.size(0)
                    _, predicted = torch.max(outputs, 1)
                    n_samples += labels.size(0)
                    n_correct += (predicted == labels).sum().item()
            print(f'Epoch [{epoch + 1}/{NUM_EPOCHS}], last batch: {loss.item():.4f}, '
                  f'test loss: {val_loss / n_samples:.4f}, acc: {100.0 * n_correct / n_samples:.1f} %')
    return model, optimizer


if __name__ == "__main__":
    main()
