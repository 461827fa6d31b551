"""Fraud-like table with five percent positives and no weighting: imbalance alone does no harm here, recall and
precision of the rare class are high."""
import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from sklearn.metrics import precision_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset


class FraudDetector(nn.Module):
    def __init__(self, input_dim):
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(input_dim, 32),
            nn.ReLU(),
            nn.Linear(32, 16),
            nn.ReLU(),
            nn.Linear(16, 1),
        )

    def forward(self, x):
        return self.model(x)


def main():
    torch.manual_seed(5)
    X, y = make_classification(n_samples=6000, n_features=12, n_informative=8, n_redundant=0, weights=[0.95],
                               class_sep=2.5, n_clusters_per_class=1, flip_y=0, random_state=5)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=5)
    scaler = StandardScaler()
    X_train = torch.tensor(scaler.fit_transform(X_train), dtype=torch.float32)
    X_test = torch.tensor(scaler.transform(X_test), dtype=torch.float32)
    y_train = torch.tensor(y_train, dtype=torch.float32).reshape(-1, 1)
    y_test = torch.tensor(y_test, dtype=torch.float32).reshape(-1, 1)
    print(f"positives: {int(y_train.sum())} of {len(y_train)}")

    model = FraudDetector(12)
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)
    loader = DataLoader(TensorDataset(X_train, y_train), batch_size=64, shuffle=True)
    for epoch in range(15):
        model.train()
        train_loss = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            train_loss += loss.item() * xb.size(0)
        scheduler.step()
        model.eval()
        with torch.no_grad():
            logits = model(X_test)
            val_loss = criterion(logits, y_test).item()
        if epoch % 2 == 0:
            pred = (logits > 0).int().flatten().numpy()
            print(f"epoch {epoch}: train {train_loss / len(X_train):.4f} val {val_loss:.4f} "
                  f"recall {recall_score(y_test, pred):.3f} precision {precision_score(y_test, pred, zero_division=0):.3f}")
    return model, optimizer


if __name__ == "__main__":
    main()
