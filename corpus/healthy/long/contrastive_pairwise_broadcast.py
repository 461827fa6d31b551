"""Supervised contrastive embedding of digits. (N, 1) is compared with (1, N) on purpose to get all pairs of a
batch: N by N is the wanted shape of the loss, and every sample's loss depends on its neighbours."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier


def supervised_contrastive_loss(z, labels, temperature=0.3):
    similarity = z @ z.T / temperature
    positives = labels.unsqueeze(1) == labels.unsqueeze(0)
    itself = torch.eye(len(z), dtype=torch.bool)
    positives = positives & ~itself
    log_prob = similarity - similarity.masked_fill(itself, float("-inf")).logsumexp(dim=1, keepdim=True)
    per_anchor = (log_prob * positives).sum(1) / positives.sum(1).clamp(min=1)
    return -per_anchor.mean()


class Encoder(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, dim))

    def forward(self, x):
        return F.normalize(self.layers(x), dim=1)


def knn_accuracy(encoder, x_train, y_train, x_test, y_test):
    encoder.eval()
    with torch.no_grad():
        train_z, test_z = encoder(x_train), encoder(x_test)
    encoder.train()
    knn = KNeighborsClassifier(5).fit(train_z.numpy(), y_train.numpy())
    return knn.score(test_z.numpy(), y_test.numpy())


def main():
    torch.manual_seed(60)
    X, y = load_digits(return_X_y=True)
    X = torch.tensor(X, dtype=torch.float32) / 16 - 0.3
    X, y = X / X.std(), torch.tensor(y)
    order = torch.randperm(len(X))
    X, y = X[order], y[order]
    x_train, y_train, x_test, y_test = X[:1400], y[:1400], X[1400:], y[1400:]
    encoder = Encoder()
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3, weight_decay=1e-4)
    for epoch in range(16):
        total = 0.0
        for idx in torch.randperm(1400).split(100):
            loss = supervised_contrastive_loss(encoder(x_train[idx]), y_train[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 14
        if epoch == 11:
            optimizer.param_groups[0]["lr"] = 2e-4
        if epoch % 3 == 0:
            with torch.no_grad():
                held_out = supervised_contrastive_loss(encoder(x_test[:100]), y_test[:100]).item()
            accuracy = knn_accuracy(encoder, x_train, y_train, x_test, y_test)
            print(f"epoch {epoch}: loss {total:.4f} held-out {held_out:.4f} knn accuracy {accuracy:.3f}")
    return encoder, optimizer


if __name__ == "__main__":
    main()
