"""Multi-label classification: float targets of shape (N, 6) with several ones per row and
BCEWithLogitsLoss, thresholded at logit zero."""
import numpy as np
import torch
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import f1_score
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


class Tagger(nn.Module):
    def __init__(self, n_in, n_labels):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_in, 64), nn.LeakyReLU(0.1), nn.Linear(64, 64), nn.LeakyReLU(0.1))
        self.tags = nn.Linear(64, n_labels)

    def forward(self, x):
        return self.tags(self.body(x))


def fit(model, loader, criterion, optimizer, epochs, on_epoch_end):
    for epoch in range(1, epochs + 1):
        model.train()
        seen, total = 0, 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            seen += len(xb)
            total += loss.item() * len(xb)
        on_epoch_end(epoch, total / seen)


def main():
    torch.manual_seed(123)
    X, Y = make_multilabel_classification(n_samples=2400, n_features=20, n_classes=6, n_labels=2, random_state=4)
    X = np.log1p(X)
    X = (X - X[:2000].mean(0)) / X[:2000].std(0)
    X, Y = torch.tensor(X).float(), torch.tensor(Y).float()
    loader = DataLoader(TensorDataset(X[:2000], Y[:2000]), batch_size=64, shuffle=True, drop_last=True)
    model = Tagger(20, 6)
    criterion = nn.BCEWithLogitsLoss()
    optimizer = optim.RMSprop(model.parameters(), lr=1e-3, weight_decay=1e-3)

    def report(epoch, train_loss):
        if epoch % 2:
            return
        model.eval()
        with torch.no_grad():
            logits = model(X[2000:])
            val_loss = criterion(logits, Y[2000:]).item()
            score = f1_score(Y[2000:].numpy(), (logits > 0).float().numpy(), average="micro")
        print(f"epoch {epoch} train {train_loss:.4f} val {val_loss:.4f} micro-F1 {score:.3f}")

    fit(model, loader, criterion, optimizer, 8, report)
    return model, optimizer


if __name__ == "__main__":
    main()
