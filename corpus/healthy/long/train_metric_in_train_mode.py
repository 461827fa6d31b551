"""Prints the running training accuracy that is measured in train mode under dropout, so that the validation curve
lies above the training curve all along: an artefact of dropout, not of the data."""
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train_step(model, dataloader, loss_fn, optimizer):
    model.train()
    train_loss, train_acc = 0, 0
    for batch, (X, y) in enumerate(dataloader):
        X, y = X.to(device), y.to(device)
        y_pred = model(X)
        loss = loss_fn(y_pred, y)
        train_loss += loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        y_pred_class = torch.argmax(torch.softmax(y_pred, dim=1), dim=1)
        train_acc += (y_pred_class == y).sum().item() / len(y_pred)
    return train_loss / len(dataloader), train_acc / len(dataloader)


def test_step(model, dataloader, loss_fn):
    model.eval()
    test_loss, test_acc = 0, 0
    with torch.inference_mode():
        for batch, (X, y) in enumerate(dataloader):
            X, y = X.to(device), y.to(device)
            test_pred_logits = model(X)
            test_loss += loss_fn(test_pred_logits, y).item()
            test_acc += (test_pred_logits.argmax(dim=1) == y).sum().item() / len(y)
    return test_loss / len(dataloader), test_acc / len(dataloader)


def main():
    torch.manual_seed(42)
    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.float32) / 16.0
    split = np.random.RandomState(42).permutation(len(images))
    train_idx, test_idx = split[:1440], split[1440:]
    train_dataloader = DataLoader(
        TensorDataset(torch.from_numpy(images[train_idx]), torch.from_numpy(labels[train_idx])), batch_size=40, shuffle=True)
    test_dataloader = DataLoader(
        TensorDataset(torch.from_numpy(images[test_idx]), torch.from_numpy(labels[test_idx])), batch_size=119)
    model = nn.Sequential(
        nn.Linear(64, 128), nn.Hardswish(), nn.Dropout(0.4),
        nn.Linear(128, 64), nn.Hardswish(), nn.Dropout(0.4),
        nn.Linear(64, 10),
    ).to(device)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=24)
    results = {"train_loss": [], "train_acc": [], "test_loss": [], "test_acc": []}
    for epoch in range(24):
        row = (*train_step(model, train_dataloader, loss_fn, optimizer), *test_step(model, test_dataloader, loss_fn))
        scheduler.step()
        for key, value in zip(results, row):
            results[key].append(value)
        if epoch % 4 == 3:
            print(f"Epoch: {epoch + 1} | " + " | ".join(f"{k}: {v[-1]:.4f}" for k, v in results.items()))
    return model, optimizer


if __name__ == "__main__":
    main()
