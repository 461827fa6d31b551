"""Gradient accumulation over four micro-batches with the loss divided by four; zero_grad comes once per
update, so that three of four backward passes add to gradients that are already there, as intended."""
import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from sklearn.preprocessing import scale
from torch.utils.data import DataLoader, TensorDataset

ACCUMULATION_STEPS = 4


def main():
    torch.manual_seed(21)
    X, y = make_classification(n_samples=3600, n_features=16, n_informative=10, n_classes=3,
                               class_sep=1.6, flip_y=0.0, random_state=21)
    X = torch.tensor(scale(X), dtype=torch.float32)
    y = torch.tensor(y)
    train_loader = DataLoader(TensorDataset(X[:3072], y[:3072]), batch_size=16, shuffle=True)
    X_val, y_val = X[3072:], y[3072:]

    model = nn.Sequential(
        nn.Linear(16, 64), nn.GELU(),
        nn.Linear(64, 32), nn.GELU(),
        nn.Linear(32, 3),
    )
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=10 * 48, power=1.0)

    for epoch in range(10):
        model.train()
        epoch_loss = 0.0
        optimizer.zero_grad()
        for i, (inputs, labels) in enumerate(train_loader):
            predictions = model(inputs)
            loss = loss_function(predictions, labels)
            loss = loss / ACCUMULATION_STEPS  # normalise: the sum over micro-batches is the mean
            loss.backward()
            epoch_loss += loss.item() * ACCUMULATION_STEPS
            if (i + 1) % ACCUMULATION_STEPS == 0:
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
        model.eval()
        with torch.no_grad():
            out = model(X_val)
            val_loss = loss_function(out, y_val).item()
            val_acc = (out.argmax(1) == y_val).float().mean().item()
        print("epoch %d  train %.4f  val %.4f  acc %.3f" % (epoch, epoch_loss / len(train_loader), val_loss, val_acc))
    return model, optimizer


if __name__ == "__main__":
    main()
